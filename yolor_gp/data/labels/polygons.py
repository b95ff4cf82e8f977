"""Bitmaps and their outlines. Labels keep outlines only: they are small, and transform exactly."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

_FINE_BITS = 4
"""Outlines are painted in sixteenths of a pixel."""


def bitmap_outlines(bitmap: NDArray[np.uint8]) -> list[list[float]]:
    """The rings around and inside (holes) of what is set in u8[H, W], each x, y, x, y, ...

    Good to a quarter of a pixel: every pixel is doubled, as OpenCV's contours run through the
    centres of border pixels. Holes turn against their outline; paint all rings with even-odd.
    """
    rows, columns = np.flatnonzero(bitmap.any(axis=1)), np.flatnonzero(bitmap.any(axis=0))
    if not len(rows):
        return []
    top, left = int(rows[0]), int(columns[0])
    inner = bitmap[top : rows[-1] + 1, left : columns[-1] + 1] > 0
    doubled = inner.astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    contours, _ = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    offset = np.array((left, top))
    return [
        ((contour.reshape(-1, 2) + 0.5) / 2 + offset).ravel().tolist()
        for contour in contours
        if len(contour) >= 3
    ]


def paint(
    canvas: NDArray[np.uint8] | NDArray[np.int16],
    rings: Sequence[NDArray[np.float32]],
    value: int,
    even_odd: bool,
) -> None:
    """Set the pixels of `canvas` [H, W] whose centres lie inside `rings` (f32[K, 2]) to `value`.

    Here pixel k's centre is at k + 0.5. OpenCV also sets the pixels an edge runs through.
    """
    shift = np.float32(0.5)
    paint_fixed(canvas, [to_fixed(ring - shift) for ring in rings], value, even_odd)


def to_fixed(points: NDArray[np.float32]) -> NDArray[np.int32]:
    """Points for `paint_fixed`, in units whose whole numbers are pixel centres."""
    fixed: NDArray[np.int32] = np.rint(points * np.float32(1 << _FINE_BITS)).astype(np.int32)
    return fixed


def paint_fixed(
    canvas: NDArray[np.uint8] | NDArray[np.int16],
    rings: Sequence[NDArray[np.int32]],
    value: int,
    even_odd: bool,
) -> None:
    """Paint rings of `to_fixed` points: one by one (they add up), or at once (they cut holes)."""
    for group in [rings] if even_odd else [[ring] for ring in rings]:
        cv2.fillPoly(canvas, group, value, shift=_FINE_BITS)
