"""Values of COCO annotations that tools write in several ways: one reading, everywhere."""

from __future__ import annotations

import math
from typing import Any

from pycocotools import mask


def is_whole(value: Any) -> bool:
    """Whether a JSON value is a whole number of sensible size."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**62


def is_number(value: Any) -> bool:
    """Whether a JSON value is a finite number of sensible size."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and abs(value) < 1e7
    )


def make_whole(item: dict[str, Any], keys: tuple[str, ...]) -> None:
    """Write 1.0 as 1 where whole numbers belong, in place: some tools know only one kind."""
    for key in keys:
        value = item.get(key)
        if isinstance(value, float) and value.is_integer():
            item[key] = int(value)


def is_crowd(annotation: dict[str, Any]) -> bool:
    """Whether it stands for a group.

    Raises:
        ValueError: For anything but 0 and 1: the text "0" would count as true.
    """
    value = annotation.get("iscrowd")
    if value is None or (value in (0, 1) and isinstance(value, int | float)):
        return bool(value)
    raise ValueError(f"'iscrowd' is {value!r}; expected 0 or 1")


def usable_segmentation(segmentation: Any) -> Any:
    """Run lengths, or the polygons of at least three points; None when nothing is left."""
    if isinstance(segmentation, list):
        return [part for part in segmentation if isinstance(part, list) and len(part) >= 6] or None
    return segmentation or None


def has_area(annotation: dict[str, Any]) -> bool:
    """Whether 'area' is given as a number above 0."""
    return is_number(annotation.get("area")) and annotation["area"] > 0


def area_of(annotation: dict[str, Any]) -> float:
    """The area in pixels: as given, else of the outline, else of the box."""
    if has_area(annotation):
        return float(annotation["area"])
    segmentation = usable_segmentation(annotation.get("segmentation"))
    if isinstance(segmentation, list):
        return sum(_polygon_area(polygon) for polygon in segmentation)
    if isinstance(segmentation, dict):
        counts = segmentation["counts"]
        if isinstance(counts, list):
            return float(sum(counts[1::2]))
        return float(mask.area({"size": segmentation["size"], "counts": counts.encode()}))
    _, _, width, height = annotation["bbox"]
    return float(width * height)


def _polygon_area(numbers: list[float]) -> float:
    x, y = numbers[0::2], numbers[1::2]
    pairs = zip(x, y, [*x[1:], x[0]], [*y[1:], y[0]], strict=True)
    return abs(sum(a * d - c * b for a, b, c, d in pairs)) / 2
