"""LabelMe: a JSON file beside each picture (`format: labelme` in a data YAML).

Polygons, rectangles, circles and masks are objects; shapes with the same group and label are one
object of several parts. Points and lines are no objects and are passed over, with a word.
"""

from __future__ import annotations

import base64
import json
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from yolor_gp.config.data_config import DataConfig, Split
from yolor_gp.data.labels.annotation_table import AnnotationTable, TableBuilder
from yolor_gp.data.labels.formats import register_data_format
from yolor_gp.data.labels.polygons import bitmap_outlines
from yolor_gp.data.pixels.images import image_size
from yolor_gp.errors import UserError

_log = logging.getLogger(__name__)

_CIRCLE_POINTS = 48
_NO_OBJECTS = ("point", "line", "linestrip", "points")


@dataclass
class _Object:
    """label; rings: x, y, x, y, ... each, none for a rectangle; box: xyxy."""

    label: str
    rings: list[list[float]]
    box: tuple[float, float, float, float]
    even_odd: bool = False


@register_data_format("labelme")
def read_labelme(config: DataConfig, split: Split) -> AnnotationTable:
    """Every picture with a JSON file; class names from the YAML, or all that occur, sorted.

    Raises:
        UserError: When a file cannot be read, or names a class that the YAML does not.
    """
    files = [file for source in config.images(split) for file in _json_files(source)]
    names = config.names or _names_of_all(config)
    builder = TableBuilder(names, range(len(names)))
    for number, file in enumerate(files, start=1):
        content = _parsed(file)
        for one in _objects(file, content):
            if one.label not in names:
                raise UserError(f"{file}: class '{one.label}' is not one of {', '.join(names)}")
            builder.add_object(names.index(one.label), one.box, one.rings, one.even_odd)
        picture = _picture(file, content)
        size = (content.get("imageHeight"), content.get("imageWidth"))
        known = all(isinstance(side, int) and 0 < side < 1e6 for side in size)
        builder.end_image(number, size if known else image_size(picture), str(picture))  # type: ignore[arg-type]
    return builder.build()


def _json_files(source: Path) -> list[Path]:
    files = sorted(source.glob("*.json")) if source.is_dir() else []
    if not files:
        raise UserError(f"{source}: no JSON files; expected a folder as LabelMe writes it")
    return files


def _parsed(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read as text ({error})") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{file}:{error.lineno}: no JSON ({error.msg})") from None
    if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
        raise UserError(f"{file}: expected an object with a list 'shapes', as LabelMe writes it")
    return content


def _names_of_all(config: DataConfig) -> tuple[str, ...]:
    sources = (*config.train, *config.val, *config.test)
    files = [file for source in sources for file in _json_files(source)]
    return tuple(sorted({one.label for file in files for one in _objects(file, _parsed(file))}))


def _objects(file: Path, content: dict[str, Any]) -> Iterator[_Object]:
    groups: dict[tuple[str, Any], _Object] = {}
    for number, shape in enumerate(content["shapes"]):
        where = f"{file}: shape {number}"
        if not isinstance(shape, dict) or not isinstance(shape.get("label"), str):
            raise UserError(f"{where}: expected an object with a 'label'")
        kind = shape.get("shape_type", "polygon")
        if kind in _NO_OBJECTS:
            _log.warning("%s: a %s is no object; passed over", where, kind)
            continue
        one = _object(shape, kind, where)
        group = shape.get("group_id")
        first = groups.get((one.label, group)) if isinstance(group, int | str) else None
        if first is None:
            groups[one.label, group if group is not None else f"own {number}"] = one
        elif first.rings and one.rings:
            first.rings += one.rings
            first.box = _around([first.box, one.box])
        else:
            raise UserError(f"{where}: a group of outlines and rectangles; use outlines only")
    yield from groups.values()


def _object(shape: dict[str, Any], kind: str, where: str) -> _Object:
    label = shape["label"]
    try:
        points = np.array(shape["points"], np.float64).reshape(-1, 2)
        good = bool(np.isfinite(points).all()) and len(points) > 0
    except (KeyError, TypeError, ValueError):
        points, good = np.zeros((0, 2)), False
    least = {"polygon": 3, "rectangle": 2, "circle": 2, "mask": 2}.get(kind)
    if least is None:
        raise UserError(f"{where}: unknown shape_type '{str(kind)[:40]}'")
    if not good or len(points) < least or np.abs(points).max() > 1e6:
        raise UserError(f"{where}: a {kind} needs {least} points of x and y, in pixels")
    low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    box = (low[0], low[1], high[0], high[1])
    if kind == "rectangle":
        return _Object(label, [], box)
    if kind == "circle":
        radius = float(np.linalg.norm(points[1] - points[0]))
        turns = np.arange(_CIRCLE_POINTS) * (2 * math.pi / _CIRCLE_POINTS)
        points = points[0] + radius * np.stack((np.cos(turns), np.sin(turns)), axis=1)
        box = _around([(*points.min(axis=0).tolist(), *points.max(axis=0).tolist())])
    if kind == "mask":
        return _Object(label, _mask_rings(shape, box, where), box, even_odd=True)
    return _Object(label, [points.ravel().tolist()], box)


def _mask_rings(
    shape: dict[str, Any], box: tuple[float, float, float, float], where: str
) -> list[list[float]]:
    """The outlines of a picture of the mask, which begins at the corner of the box.

    Raises:
        UserError: When it is no picture, or empty.
    """
    try:
        data = np.frombuffer(base64.b64decode(shape["mask"], validate=True), np.uint8)
        bitmap = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    except (KeyError, TypeError, ValueError, cv2.error):
        bitmap = None
    rings = [] if bitmap is None else bitmap_outlines(np.asarray(bitmap, np.uint8))
    if not rings:
        raise UserError(f"{where}: its 'mask' is no picture, or empty")
    corner = np.array(box[:2])
    return [(np.array(ring).reshape(-1, 2) + corner).ravel().tolist() for ring in rings]


def _around(boxes: list[tuple[float, ...]]) -> tuple[float, float, float, float]:
    left, top = (min(box[k] for box in boxes) for k in (0, 1))
    right, bottom = (max(box[k] for box in boxes) for k in (2, 3))
    return left, top, right, bottom


def _picture(file: Path, content: dict[str, Any]) -> Path:
    name = content.get("imagePath")
    if isinstance(name, str):
        for candidate in (name.replace("\\", "/"), Path(name.replace("\\", "/")).name):
            path = file.parent / candidate
            if path.is_file():
                return path.resolve()
    raise UserError(f"{file}: its picture '{str(name)[:200]}' is not there (imagePath)")
