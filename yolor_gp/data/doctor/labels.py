"""What both forms of labels come to, for the doctor."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from yolor_gp.data.doctor.report import Finding, SplitFigures, warning


@dataclass
class LabelFacts:
    """The labels of one split, read with every problem noted instead of stopping at one.

    images: path -> (height, width) as the labels say, None where they do not.
    """

    images: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    figures: SplitFigures = field(default_factory=SplitFigures)
    names: tuple[str, ...] = ()


Box = tuple[float, float, float, float]
"""left, top, right, bottom in pixels."""


class Outlines:
    """Counts objects with and without outlines, which should not be mixed."""

    def __init__(self) -> None:
        self._with, self._without = 0, 0
        self._first = ""

    def count(self, where: str, has_outline: bool) -> None:
        """Enter one object, found at `where`."""
        if has_outline:
            self._with += 1
        else:
            self._first = self._first or where
            self._without += 1

    def findings(self) -> list[Finding]:
        """A warning where some have outlines and some have none."""
        if not (self._with and self._without):
            return []
        return [
            warning(
                "boxes among outlines",
                self._first,
                f"{self._without} of {self._with + self._without} objects have no outline; in"
                " training and evaluation their whole boxes count as masks",
                "outline them, or use --boxes-only",
            )
        ]


def count_object(figures: SplitFigures, name: str, box: Box) -> None:
    """Enter one object into the figures."""
    left, top, right, bottom = box
    figures.objects += 1
    figures.class_counts[name] += 1
    figures.object_sizes[round(math.sqrt(max(0.0, (right - left) * (bottom - top))))] += 1


def box_findings(where: str, box: Box, size: tuple[int, int]) -> list[Finding]:
    """Empty boxes, and boxes that leave the image of `size` (height, width) by a pixel or more."""
    left, top, right, bottom = box
    height, width = size
    shown = f"[{left:.1f}, {top:.1f}, {right:.1f}, {bottom:.1f}]"
    if right <= left or bottom <= top:
        return [warning("empty box", where, f"box {shown} has no area and is ignored", "redraw it")]
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        return [
            warning(
                "box outside",
                where,
                f"box {shown} lies outside of {width}x{height} and is ignored",
                "redraw or remove it",
            )
        ]
    if left <= -1 or top <= -1 or right >= width + 1 or bottom >= height + 1:
        return [
            warning(
                "box partly outside",
                where,
                f"box {shown} leaves {width}x{height} and is clipped",
                "clip it",
            )
        ]
    return []


def repeated_objects(where: str, objects: Sequence[tuple[object, Box]]) -> list[Finding]:
    """Objects of one image with the same class and the same box."""
    return [
        warning(
            "repeated object", where, f"class {label} with the same box {count} times", "keep one"
        )
        for (label, _), count in Counter(objects).items()
        if count > 1
    ]
