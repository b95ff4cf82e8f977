"""A data set's YAML: COCO JSON, YOLO text labels, or the built-in shapes.

path: coco                                  # the folder everything below is relative to
train: images/train2017                     # a folder of images
val: images/val2017
annotations: {train: annotations/a.json, val: annotations/b.json}

path: my-data                               # YOLO text: labels in ../labels/x.txt
train: images/train                         # a folder, a list file, or a list of them
val: [images/val, more/list.txt]
names: [cat, dog]                           # or {0: cat, 1: dog}

path: datasets/shapes                       # drawn on first use
shapes: {train: 1500, val: 200}

format: csv_boxes                           # of a plugin, which knows what the rest means
train: train.csv
val: val.csv
names: [cat, dog]

slice: {size: 640, overlap: 0.2}            # in any of them: large pictures are trained on in parts
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field

from yolor_gp.config.data_folder import is_folder, keys_of_folder, yaml_in
from yolor_gp.config.shipped import find_shipped
from yolor_gp.config.validate import Settings, validate
from yolor_gp.config.yaml_source import Node, load_yaml, parse_yaml
from yolor_gp.errors import UserError, raise_problems

Split = Literal["train", "val", "test"]

FORMS = ("coco", "yolo", "shapes")
"""Those that are built in."""


class ShapesConfig(Settings):
    """The built-in data set: scenes drawn by this project."""

    train: int = Field(1500, ge=1, le=10_000_000, description="images to draw")
    val: int = Field(200, ge=1, le=10_000_000, description="images to draw")
    size: int = Field(320, ge=64, le=4096, description="side of the square images in pixels")
    max_objects: int = Field(12, ge=1, le=200, description="most objects of a scene")
    seed: int = Field(0, ge=0, le=2**32 - 1)


class AnnotationFiles(Settings):
    """COCO JSON files, one for each part."""

    train: str | None = None
    val: str | None = None
    test: str | None = None


class SliceConfig(Settings):
    """Pictures cut into overlapping windows, each an image of its own."""

    size: int = Field(ge=32, le=65536, description="side of the windows in pixels of the picture")
    overlap: float = Field(0.2, gt=0, le=0.9, description="of neighbours, as a share of the side")
    whole: bool = Field(True, description="the whole picture is an image, too")
    empty: float = Field(1.0, ge=0, le=1, description="share kept of windows without objects")
    val: bool = Field(False, description="cut validation and test pictures, too")


class _DataFile(Settings):
    """The keys of the YAML, before paths are resolved and forms told apart."""

    path: str = "."
    train: str | list[str] | None = None
    val: str | list[str] | None = None
    test: str | list[str] | None = Field(None, description="for val.py --split test")
    format: str | None = Field(None, description="a plugin's; None: told by the other keys")
    annotations: AnnotationFiles | None = None
    names: list[str] | dict[str, str] | None = None
    nc: int | None = Field(None, ge=1)
    shapes: ShapesConfig | None = None
    slice: SliceConfig | None = None
    roboflow: dict[str, Any] | None = Field(None, description="accepted and unused: its origin")
    download: str | None = Field(None, description="accepted and unused: nothing is downloaded")


@dataclass(frozen=True)
class DataConfig:
    """A data set to open. Paths are absolute.

    train, val, test: files and folders of the images; annotations: split -> COCO JSON (form
    "coco"); names: class names by label (form "yolo", and plugins' where they are given; the other
    forms know them from the data); slice: how pictures are cut, None for not at all.
    """

    file: Path
    form: str
    root: Path
    train: tuple[Path, ...]
    val: tuple[Path, ...]
    test: tuple[Path, ...]
    annotations: dict[str, Path]
    names: tuple[str, ...]
    shapes: ShapesConfig | None = None
    slice: SliceConfig | None = None

    def slice_of(self, split: Split) -> SliceConfig | None:
        """How the pictures of a split are cut, None for not at all."""
        return self.slice if self.slice and (split == "train" or self.slice.val) else None

    def without_slices(self) -> DataConfig:
        """The same with whole pictures."""
        return replace(self, slice=None)

    def images(self, split: Split) -> tuple[Path, ...]:
        """The image sources of a split.

        Raises:
            UserError: When the file does not name them.
        """
        sources: tuple[Path, ...] = getattr(self, split)
        if not sources and self.form != "shapes":
            hint = "name the folder of its images"
            if self.file.is_dir():
                hint = (
                    f"divide it: scripts/convert_dataset.py {self.file} --to coco --out NEW"
                    " --split 80/20"
                )
            raise UserError(f"{self.file}: '{split}' is missing; {hint}")
        return sources


def load_data_config(path: str | Path, directory: str | Path | None = None) -> DataConfig:
    """Read a data YAML by path or shipped name (`shapes`), or a folder without one.

    A folder is read as `data_folder` says; the configuration's `file` is then the folder.
    directory: used instead of the file's own `path`. A relative `path` is relative to the YAML's
    folder, but for built-in shapes, which are written, relative to the current directory.

    Raises:
        UserError: With one line per problem, naming file and line.
    """
    file, node = _read(path)
    settings = validate(_with_text_names(node), _DataFile)
    form = _form(settings, node, file)
    base = Path.cwd() if form == "shapes" else file.resolve()
    base = base if base.is_dir() else base.parent
    root = Path(directory).absolute() if directory is not None else base / settings.path
    wants_names = form == "yolo" or (form not in FORMS and settings.names is not None)
    names = _class_names(settings, node, file) if wants_names else ()
    files = {} if settings.annotations is None else settings.annotations.model_dump()
    return DataConfig(
        file=file,
        form=form,
        root=root,
        train=_resolve(root, settings.train),
        val=_resolve(root, settings.val),
        test=_resolve(root, settings.test),
        annotations={split: root / name for split, name in files.items() if name is not None},
        names=names,
        shapes=settings.shapes,
        slice=settings.slice,
    )


def _read(named: str | Path) -> tuple[Path, Node]:
    """The YAML and what it says, or a folder and what a YAML in it would say.

    Raises:
        UserError: When there is no such file, or nothing known in the folder.
    """
    if not is_folder(named):
        file = find_shipped("data", named)
        if file.suffix == ".json":
            raise UserError(
                f"{file}: labels, not a data YAML; name the folder of labels and pictures, or write"
                " a data.yaml (docs/data.md)"
            )
        return file, load_yaml(file)
    folder = Path(named)
    if (inside := yaml_in(folder)) is not None:
        return inside, load_yaml(inside)
    if keys := keys_of_folder(folder):
        return folder, parse_yaml(yaml.safe_dump(keys), str(folder))
    raise UserError(
        f"{folder}: no data YAML lies there, nor labels as COCO JSON, Pascal VOC, LabelMe or YOLO"
        " text; put a data.yaml there (docs/data.md)"
    )


def _form(settings: _DataFile, node: Node, file: Path) -> str:
    """The form that is named, or else told by its keys; refuse keys that contradict each other.

    Raises:
        UserError: When no images are named, or keys contradict each other.
    """
    if settings.format is not None and settings.format not in FORMS:
        return settings.format
    if settings.shapes is not None:
        others = [
            key for key in ("train", "val", "annotations", "names", "nc") if key in node.value
        ]
        raise_problems(
            f"{node.key_locations[key]}: '{key}' does not belong beside 'shapes'; remove one"
            for key in others
        )
        return "shapes"
    if settings.train is None and settings.val is None:
        raise UserError(f"{file}: neither 'train' nor 'val' is given; name the folders of images")
    if settings.annotations is None:
        return "yolo"
    problems = [
        f"{node.key_locations[split]}: 'annotations' has no '{split}'; name its COCO JSON file"
        for split in ("train", "val", "test")
        if getattr(settings, split) is not None and getattr(settings.annotations, split) is None
    ]
    problems += [
        f"{node.key_locations[key]}: '{key}' comes from the COCO JSON; remove it here"
        for key in ("names", "nc")
        if key in node.value
    ]
    raise_problems(problems)
    return "coco"


def _class_names(settings: _DataFile, node: Node, file: Path) -> tuple[str, ...]:
    """Names by label from a list, a mapping, or (as YOLOv5 allows) `nc` alone.

    Raises:
        UserError: When names are missing, given twice, or not numbered 0, 1, 2, ...
    """
    given = settings.names
    if given is None:
        if settings.nc is None:
            raise UserError(f"{file}: 'names' is missing; list the class names")
        return tuple(f"class{label}" for label in range(settings.nc))
    where = node.key_locations["names"]
    if isinstance(given, dict):
        expected = [str(label) for label in range(len(given))]
        if sorted(given) != sorted(expected):
            raise UserError(
                f"{where}: the keys of 'names' must be 0 to {len(given) - 1}, found "
                f"{', '.join(given)}"
            )
        given = [given[label] for label in expected]
    problems = [
        f"{where}: the class name '{name}' is given twice"
        for name in sorted({name for name in given if given.count(name) > 1})
    ]
    if not given:
        problems.append(f"{where}: 'names' is empty; list the class names")
    if settings.nc is not None and settings.nc != len(given):
        problems.append(
            f"{node.key_locations['nc']}: 'nc' is {settings.nc}, but 'names' has {len(given)}"
        )
    raise_problems(problems)
    return tuple(given)


def _with_text_names(node: Node) -> Node:
    """Names such as `yes`, `12:30` or `1.10` are other things to YAML; here they are text."""
    if not isinstance(node.value, dict) or "names" not in node.value:
        return node
    names = node.value["names"]
    if isinstance(names.value, list):
        items: object = [_as_text(item) for item in names.value]
    elif isinstance(names.value, dict):
        items = {key: _as_text(item) for key, item in names.value.items()}
    else:
        return node
    text_names = Node(items, names.location, names.key_locations)
    return Node({**node.value, "names": text_names}, node.location, node.key_locations)


def _as_text(node: Node) -> Node:
    if node.text and node.value is not None:
        return Node(node.text, node.location, node.key_locations)
    return node


def _resolve(root: Path, value: str | list[str] | None) -> tuple[Path, ...]:
    if value is None:
        return ()
    return tuple(_found(root, item) for item in ([value] if isinstance(value, str) else value))


def _found(root: Path, item: str) -> Path:
    """`root / item`; of Roboflow's `../train/images`, what lies beside the YAML instead."""
    path = root / item
    inside = root / item.removeprefix("../")
    return inside if inside.exists() and not path.exists() else path
