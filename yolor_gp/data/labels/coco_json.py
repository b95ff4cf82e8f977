"""COCO JSON: polygons, run-length masks and crowds, with any category ids."""

from __future__ import annotations

import hashlib
import json
import math
from array import array
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolor_gp.data.labels.annotation_table import AnnotationTable, TableBuilder
from yolor_gp.data.labels.coco_values import is_crowd, is_number, is_whole, make_whole
from yolor_gp.data.labels.polygons import bitmap_outlines
from yolor_gp.errors import UserError, raise_problems
from yolor_gp.process.collector import collector_paused

MOST_PROBLEMS = 20
"""Problems listed before a report stops."""

_WHOLE_NUMBERS = {
    "images": ("id", "width", "height"),
    "annotations": ("id", "image_id", "category_id", "iscrowd"),
    "categories": ("id",),
}


def load_json(file: Path) -> dict[str, Any]:
    """Read a COCO dictionary.

    Raises:
        UserError: When it cannot be read or is not one.
    """
    try:
        with collector_paused():
            content = json.loads(file.read_bytes())
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); check the path") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: not JSON ({error})") from None
    keys = ("images", "annotations", "categories")
    if not isinstance(content, dict):
        raise UserError(f"{file}: expected a COCO dictionary, found {type(content).__name__}")
    raise_problems(
        f"{file}: expected a list '{key}' of dictionaries, as in COCO instances files"
        for key in keys
        if not isinstance(content.get(key), list)
        or not all(isinstance(item, dict) for item in content[key])
    )
    for key, numbers in _WHOLE_NUMBERS.items():
        for item in content[key]:
            make_whole(item, numbers)
    return content


def content_digest(file: Path) -> str:
    """A digest of the file's bytes.

    Raises:
        UserError: When it cannot be read.
    """
    try:
        with file.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); check the path") from None


def parse_coco(file: Path, image_folder: Path) -> AnnotationTable:
    """The training labels of a COCO JSON: crowds left out, labels by sorted category id.

    Images keep the order of the file; objects without a positive area are left out, as COCO has a
    few.

    Raises:
        UserError: Naming the file and the ids of what is wrong (the first 20).
    """
    with collector_paused():
        return _Parser(file, image_folder, load_json(file)).parse()


class _Parser:
    def __init__(self, file: Path, image_folder: Path, content: dict[str, Any]) -> None:
        self.file, self.image_folder, self.content = file, image_folder, content
        self.problems: list[str] = []

    def parse(self) -> AnnotationTable:
        names = self._categories()
        images = self._images()
        by_image = self._annotations_by_image(images)
        self._stop_if_wrong()
        labels = {category: label for label, category in enumerate(sorted(names))}
        builder = TableBuilder([names[key] for key in sorted(names)], sorted(names))
        for image_id, image in images.items():
            size = (image["height"], image["width"])
            for annotation in by_image.get(image_id, ()):
                self._add(builder, annotation, labels, size)
            path = str(self.image_folder / image["file_name"])
            builder.end_image(image_id, size, path)
        self._stop_if_wrong()
        return builder.build()

    def _categories(self) -> dict[int, str]:
        names: dict[int, str] = {}
        for category in self.content["categories"]:
            key, name = category.get("id"), category.get("name")
            if not is_whole(key) or not isinstance(name, str):
                self._problem(f"category {key!r}: expected a whole number 'id' and a text 'name'")
            elif key in names:
                self._problem(f"category id {key} is given twice ('{names[key]}' and '{name}')")
            else:
                names[key] = name
        if not names and not self.problems:
            self._problem("'categories' is empty; there is nothing to learn")
        return names

    def _images(self) -> dict[int, dict[str, Any]]:
        images: dict[int, dict[str, Any]] = {}
        for image in self.content["images"]:
            key = image.get("id")
            sides = (image.get("height"), image.get("width"))
            if not is_whole(key) or not isinstance(image.get("file_name"), str):
                self._problem(f"image {key!r}: expected a whole number 'id' and a 'file_name'")
            elif not all(is_whole(side) and 0 < side < 2**20 for side in sides):
                self._problem(f"image {key}: expected positive 'height' and 'width', found {sides}")
            elif key in images:
                self._problem(f"image id {key} is given twice")
            else:
                images[key] = image
        return images

    def _annotations_by_image(
        self, images: dict[int, dict[str, Any]]
    ) -> dict[int, list[dict[str, Any]]]:
        by_image: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for annotation in self.content["annotations"]:
            key = annotation.get("image_id")
            if not is_whole(key) or key not in images:
                self._problem(f"{_name(annotation)}: 'image_id' {key!r} is not among the images")
            else:
                by_image[key].append(annotation)
        return by_image

    def _add(
        self,
        builder: TableBuilder,
        annotation: dict[str, Any],
        labels: dict[int, int],
        size: tuple[int, int],
    ) -> None:
        category = annotation.get("category_id")
        if not is_whole(category) or category not in labels:
            known = ", ".join(map(str, list(labels)[:10]))
            self._problem(
                f"{_name(annotation)}: 'category_id' {category!r} is not among the categories"
                f" ({known}{', ...' if len(labels) > 10 else ''})"
            )
            return
        box = annotation.get("bbox")
        if not (isinstance(box, list) and len(box) == 4 and all(map(is_number, box))):
            self._problem(f"{_name(annotation)}: expected 'bbox' [x, y, width, height], got {box}")
            return
        try:
            if is_crowd(annotation):
                return
        except ValueError as error:
            self._problem(f"{_name(annotation)}: {error}")
            return
        height, width = size
        left, top = min(max(box[0], 0), width), min(max(box[1], 0), height)
        right, bottom = min(max(box[0] + box[2], 0), width), min(max(box[1] + box[3], 0), height)
        if right <= left or bottom <= top:
            return
        try:
            rings, even_odd = _outlines(annotation.get("segmentation"), size)
        except ValueError as error:
            self._problem(f"{_name(annotation)}: {error}")
            return
        builder.add_object(labels[category], (left, top, right, bottom), rings, even_odd)

    def _problem(self, text: str) -> None:
        self.problems.append(f"{self.file}: {text}")
        if len(self.problems) >= MOST_PROBLEMS:
            self._stop_if_wrong()

    def _stop_if_wrong(self) -> None:
        raise_problems(self.problems)


def _outlines(segmentation: Any, size: tuple[int, int]) -> tuple[Sequence[Sequence[float]], bool]:
    """The rings of a COCO segmentation, and whether they cut holes.

    Raises:
        ValueError: When it is no segmentation.
    """
    if isinstance(segmentation, dict):
        return bitmap_outlines(decode_runs(segmentation, size)), True
    if segmentation is None or segmentation == []:
        return [], False
    if not isinstance(segmentation, list):
        raise ValueError("expected 'segmentation' as polygons or run lengths")
    rings = [_polygon(polygon) for polygon in segmentation]
    return [ring for ring in rings if len(ring) >= 6], False


def _polygon(numbers: Any) -> array[float]:
    """x, y, x, y, ...

    Raises:
        ValueError: When they are not finite numbers in pairs.
    """
    expected = "expected each polygon of 'segmentation' as numbers x, y, x, y, ..."
    if not isinstance(numbers, list) or len(numbers) % 2:
        raise ValueError(expected)
    try:
        ring = array("f", numbers)
    except (TypeError, OverflowError):
        raise ValueError(expected) from None
    if not math.isfinite(sum(ring)):
        raise ValueError(expected)
    return ring


def decode_runs(segmentation: dict[str, Any], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Compressed (text) or plain (list) run lengths -> u8[H, W].

    Raises:
        ValueError: When the run lengths are damaged or of another size.
    """
    counts = segmentation.get("counts")
    if segmentation.get("size") != list(size):
        raise ValueError(
            f"'segmentation' has size {segmentation.get('size')}, its image {list(size)}"
        )
    runs = _text_runs(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(is_whole(run) and run >= 0 for run in runs):
        raise ValueError("expected 'counts' of 'segmentation' as run lengths or their text form")
    if sum(runs) != size[0] * size[1]:
        raise ValueError("the run lengths of 'segmentation' do not add up to the image")
    values = np.arange(len(runs)).astype(np.uint8) & np.uint8(1)
    return np.repeat(values, runs).reshape(size, order="F")


def _text_runs(text: str) -> list[int]:
    """Run lengths from COCO's text form.

    Five bits a character from '0' on, lowest first; the sixth says that the number goes on; the
    last bit is the sign. From the fourth run on, a number is the difference to the run before
    the last.

    Raises:
        ValueError: For a damaged text, on which pycocotools reads on unchecked.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise ValueError("the text of the run lengths in 'segmentation' is damaged")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs


def _name(annotation: dict[str, Any]) -> str:
    return f"annotation id {annotation.get('id')!r}"
