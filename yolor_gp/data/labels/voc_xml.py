"""Pascal VOC: an XML file for each picture, boxes only (`format: voc` in a data YAML).

`train` and `val` name folders with XML files, or with a folder `Annotations` of them. A picture
lies beside its XML file, or in `JPEGImages` or `images` beside the folder. Boxes are counted from 1
and hold their last pixel, as the devkit has it. Objects marked difficult are left out of training.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from yolor_gp.config.data_config import DataConfig, Split
from yolor_gp.data.labels.annotation_table import AnnotationTable, TableBuilder
from yolor_gp.data.labels.formats import register_data_format
from yolor_gp.data.pixels.images import image_size
from yolor_gp.errors import UserError

_PICTURES = ("", "../JPEGImages", "../images")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


@register_data_format("voc")
def read_voc(config: DataConfig, split: Split) -> AnnotationTable:
    """Every picture with an XML file; class names from the YAML, or all that occur, sorted.

    Raises:
        UserError: When a file cannot be read, or names a class that the YAML does not.
    """
    files = [file for source in config.images(split) for file in _xml_files(source)]
    trees = [(file, _parsed(file)) for file in files]
    names = config.names or _names_of_all(config)
    builder = TableBuilder(names, range(len(names)))
    for number, (file, tree) in enumerate(trees, start=1):
        for name, box in _objects(file, tree):
            if name not in names:
                raise UserError(f"{file}: class '{name}' is not one of {', '.join(names)}")
            builder.add_object(names.index(name), box)
        picture = _picture(file, tree)
        builder.end_image(number, _size(tree) or image_size(picture), str(picture))
    return builder.build()


def _xml_files(source: Path) -> list[Path]:
    folder = source / "Annotations" if (source / "Annotations").is_dir() else source
    files = sorted(folder.glob("*.xml")) if folder.is_dir() else []
    if not files:
        raise UserError(f"{source}: no XML files; expected a folder of them, or of 'Annotations'")
    return files


def _parsed(file: Path) -> ElementTree.Element:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read as text ({error})") from None
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UserError(f"{file}: refused: defines a document type; labels need none")
    try:
        # Without definitions of its own a document cannot grow or read anything.
        root = ElementTree.fromstring(text)  # noqa: S314
    except ElementTree.ParseError as error:
        line, column = error.position
        raise UserError(f"{file}:{line}: no XML (column {column})") from None
    if root.tag != "annotation":
        raise UserError(f"{file}: expected <annotation>, found <{root.tag[:40]}>")
    return root


def _names_of_all(config: DataConfig) -> tuple[str, ...]:
    sources = (*config.train, *config.val, *config.test)
    found = {
        name
        for source in sources
        for file in _xml_files(source)
        for name, _ in _objects(file, _parsed(file))
    }
    return tuple(sorted(found))


def _objects(
    file: Path, tree: ElementTree.Element
) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    for number, item in enumerate(tree.iter("object")):
        if (item.findtext("difficult") or "0").strip() == "1":
            continue
        name = (item.findtext("name") or "").strip()
        box = item.find("bndbox")
        try:
            left, top, right, bottom = (
                float((box.findtext(key) if box is not None else "") or "") for key in _CORNERS
            )
        except ValueError:
            left = top = right = bottom = float("nan")
        if not name or not (0 <= left <= right < 1e6 and 0 <= top <= bottom < 1e6):
            raise UserError(
                f"{file}: object {number}: expected <name> and <bndbox> with"
                " xmin <= xmax and ymin <= ymax, in pixels"
            )
        yield name, (max(left - 1, 0.0), max(top - 1, 0.0), right, bottom)


def _size(tree: ElementTree.Element) -> tuple[int, int] | None:
    try:
        height, width = (int(tree.findtext(f"size/{key}") or "") for key in ("height", "width"))
    except ValueError:
        return None
    return (height, width) if height > 0 and width > 0 else None


def _picture(file: Path, tree: ElementTree.Element) -> Path:
    name = Path((tree.findtext("filename") or "").strip().replace("\\", "/")).name
    stems = [name] if name else []
    stems += [f"{file.stem}{suffix}" for suffix in (".jpg", ".jpeg", ".png", ".bmp", ".webp")]
    for folder in _PICTURES:
        for candidate in stems:
            path = file.parent / folder / candidate
            if path.is_file():
                return path.resolve()
    raise UserError(
        f"{file}: its picture '{name or file.stem}' is not beside it, nor in JPEGImages"
    )
