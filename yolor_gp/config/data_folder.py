"""A data set without a YAML: a folder as a labelling tool leaves it, told by what lies there.

train/_annotations.coco.json, valid/...     COCO JSON beside its pictures (Roboflow)
annotations/*.json, or *.json; pictures     COCO JSON (COCO itself, CVAT, Label Studio, FiftyOne)
    in images/, data/, train2017/, ...
*.xml, or Annotations/*.xml                 Pascal VOC
*.json                                      LabelMe
images/ and labels/, or pictures with       YOLO text, its class names in classes.txt or obj.names
    their labels; obj_train_data/           (Label Studio, CVAT, LabelImg)

Parts are told by the words train, val, valid, test in the names of files and folders; what has no
such word is one part, train.
"""

from __future__ import annotations

import glob
import itertools
import json
import mmap
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from yolor_gp.config.shipped import shipped_files
from yolor_gp.errors import UserError

_YAMLS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_PARTS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_FILE_NAME = re.compile(rb'"file_name"\s*:\s*("(?:[^"\\]|\\.)*")')
_SHAPES = re.compile(rb'"shapes"\s*:')
_NAMES = ("classes.txt", "obj.names", "labels/classes.txt")
_FEW = 8
"""Files of a folder that are looked into to tell what they are."""


def is_folder(named: str | Path) -> bool:
    """Whether a folder is meant; a bare name is a shipped data set's, if there is one."""
    try:
        there = Path(named).is_dir()
    except (OSError, ValueError):  # too long for a file's name, or with a zero byte
        return False
    shipped = {file.stem for file in shipped_files("data")}
    return there and str(named) not in shipped


def yaml_in(folder: Path) -> Path | None:
    """The data YAML that lies in `folder`, if one does."""
    return next((folder / name for name in _YAMLS if (folder / name).is_file()), None)


def keys_of_folder(folder: Path) -> dict[str, Any]:
    """What a data YAML in `folder` would say, nothing where no labels of detection are known.

    Paths are relative to the folder.

    Raises:
        UserError: When what lies there can be read in two ways, has no class names, or cannot be
            read at all.
    """
    readers = (_coco, _voc, _labelme, _yolo)
    try:
        return next((keys for read in readers if (keys := read(folder))), {})
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be read ({error.strerror})") from None


def _coco(folder: Path) -> dict[str, Any]:
    annotations: dict[str, str] = {}
    pictures: dict[str, str] = {}
    for file, first in _coco_files(folder):
        nested = file.parent != folder
        part = _part(file.stem) or (_part(file.parent.name) if nested else None) or "train"
        if part in annotations:
            raise UserError(
                f"{folder}: {annotations[part]} and {_inside(folder, file)} are both of part"
                f" '{part}'; name one of them in a data.yaml"
            )
        annotations[part] = _inside(folder, file)
        pictures[part] = _inside(folder, _pictures(folder, file, part, first))
    return {**pictures, "annotations": annotations} if annotations else {}


def _coco_files(folder: Path) -> list[tuple[Path, str]]:
    """COCO JSON files with the first picture they name; of several kinds those of objects."""
    places = [folder / "annotations", folder, *_folders(folder)]
    candidates = [file for place in dict.fromkeys(places) for file in _few_json(place)]
    objects = [file for file in candidates if file.stem.startswith("instances")]
    found = [(file, _first(_FILE_NAME, file)) for file in objects or candidates]
    return [(file, _text(first)) for file, first in found if first]


def _text(quoted: bytes) -> str:
    """What a JSON string says; "" where it is none, which reading the labels will tell."""
    try:
        return str(json.loads(quoted))
    except ValueError:
        return ""


def _few_json(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.json"))
    return files if len(files) <= _FEW else [f for f in files if "annotations" in f.name.lower()]


def _pictures(folder: Path, file: Path, part: str, first: str) -> Path:
    """The folder from which a COCO JSON names its pictures."""
    images = folder / "images"
    nested = [*_folders(folder), *_folders(images)]
    own = [place for place in nested if _part(place.name) == part]
    places = [file.parent, *own, images, folder, *nested]
    first = first.replace("\\", "/")
    return next((place for place in places if (place / first).is_file()), places[0])


def _voc(folder: Path) -> dict[str, Any]:
    def holds(place: Path) -> bool:
        return any(place.glob("*.xml")) or any((place / "Annotations").glob("*.xml"))

    return _with_parts(folder, holds, {"format": "voc"})


def _labelme(folder: Path) -> dict[str, Any]:
    def holds(place: Path) -> bool:
        first = next(iter(sorted(place.glob("*.json"))), None)
        return first is not None and _first(_SHAPES, first) is not None

    return _with_parts(folder, holds, {"format": "labelme"})


def _with_parts(
    folder: Path, holds: Callable[[Path], bool], keys: dict[str, Any]
) -> dict[str, Any]:
    """The keys, and the folder itself or those inside it that are parts, where labels are.

    Raises:
        UserError: When they are in both.
    """
    parts = _grouped((part, place.name) for part, place in _part_folders(folder) if holds(place))
    if not holds(folder):
        return {**keys, **parts} if parts else {}
    if parts:
        inside = next(iter(parts.values()))[0]
        raise UserError(
            f"{folder}: labels lie here and in {inside}; name the folders of each part in a"
            " data.yaml"
        )
    return {**keys, "train": "."}


def _yolo(folder: Path) -> dict[str, Any]:
    parts = _yolo_parts(folder)
    if not parts:
        return {}
    file = next((folder / name for name in _NAMES if (folder / name).is_file()), None)
    if file is None:
        raise UserError(
            f"{folder}: YOLO labels without the names of their classes; put a classes.txt there,"
            " a name a line, or a data.yaml"
        )
    return {**parts, "names": _class_names(file)}


def _class_names(file: Path) -> list[str]:
    """A name a line, its number the line's; empty lines at the end do not count.

    Raises:
        UserError: When a line is empty, or a name is given twice.
    """
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    names = [line.strip() for line in text.rstrip().splitlines()]
    if not names:
        raise UserError(f"{file}: is empty; expected a name a line")
    for number, name in enumerate(names, 1):
        if not name:
            raise UserError(f"{file}:{number}: an empty line; labels count lines, name the class")
        if name in names[: number - 1]:
            raise UserError(f"{file}:{number}: the class name '{name}' is given twice")
    return names


def _yolo_parts(folder: Path) -> dict[str, Any]:
    """The folders of pictures, by part; where labels are found is `yolo_txt.label_path`'s rule."""
    images = folder / "images"
    if (folder / "labels").is_dir() and images.is_dir():
        parts = _grouped((part, f"images/{place.name}") for part, place in _part_folders(images))
        return parts or {"train": "images"}
    pictures = ((part, _yolo_pictures(place)) for part, place in _part_folders(folder))
    nested = _grouped((part, _inside(folder, place)) for part, place in pictures if place)
    if nested:
        return nested
    if (folder / "obj_train_data").is_dir():
        return {"train": "obj_train_data"}
    return {"train": "."} if _labels_beside(folder) else {}


def _yolo_pictures(part: Path) -> Path | None:
    """The pictures of a part that has its labels in `labels` or beside them."""
    if (part / "images").is_dir() and (part / "labels").is_dir():
        return part / "images"
    return part if _labels_beside(part) else None


def _grouped(found: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Part -> all its folders."""
    parts: dict[str, list[str]] = {}
    for part, folder in found:
        parts.setdefault(part, []).append(folder)
    return parts


def _labels_beside(folder: Path) -> bool:
    """Whether a text file has a picture of its name beside it."""
    texts = itertools.islice(folder.glob("*.txt"), _FEW)
    return any(len(list(folder.glob(f"{glob.escape(text.stem)}.*"))) > 1 for text in texts)


def _part_folders(folder: Path) -> list[tuple[str, Path]]:
    found = ((_part(place.name), place) for place in _folders(folder))
    return [(part, place) for part, place in found if part]


def _folders(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(place for place in folder.iterdir() if place.is_dir())


def _part(name: str) -> str | None:
    """The part that a word of a name tells."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((_PARTS[word] for word in words if word in _PARTS), None)


def _inside(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _first(pattern: re.Pattern[bytes], file: Path) -> bytes | None:
    """The last group of a pattern (or all of it) where a file, however large, holds it first."""
    if not file.stat().st_size:
        return None
    with file.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as text:
        found = pattern.search(text)
        held = found[found.lastindex or 0] if found else None
        del found  # it points into the map, which could not be closed
    return held
