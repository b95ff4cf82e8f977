"""Overlapping windows that together cover a picture."""

from __future__ import annotations

import math

Window = tuple[int, int, int, int]
"""left, top, right, bottom of a part of a picture in whole pixels, right and bottom exclusive."""


def windows(
    picture_size: tuple[int, int], window_size: tuple[int, int], overlap: float
) -> list[Window]:
    """The windows of a picture row by row, spread evenly; none where it fits into one.

    Sizes are (height, width); neighbours overlap by `overlap` of their side or more.
    """
    (height, width), (down, across) = picture_size, window_size
    if height <= down and width <= across:
        return []
    return [
        (left, top, min(left + across, width), min(top + down, height))
        for top in _begins(height, down, overlap)
        for left in _begins(width, across, overlap)
    ]


def _begins(length: int, side: int, overlap: float) -> list[int]:
    """Where windows of `side` begin, so that together they cover `length`."""
    beyond = max(length - side, 0)
    steps = math.ceil(beyond / (side * (1 - overlap)))
    return [round(beyond * step / steps) for step in range(steps + 1)] if steps else [0]
