"""From outlines to bitmaps and back. Labels keep outlines: small, and exact when transformed."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from yolor_gp.data.labels.instances import Instances
from yolor_gp.structures.sample import MASK_STRIDE

_FINE_BITS = 4
"""Outlines are painted in sixteenths of a pixel."""

_MOST_IN_BYTE = 255


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


def index_maps(
    instances: Sequence[Instances], size: tuple[int, int], stride: int = MASK_STRIDE
) -> NDArray[np.uint8] | NDArray[np.int16]:
    """u8[B, H/stride, W/stride], 0 or k for the k-th object of an image; i16 for more than 255.

    A cell shows what covers its centre.
    """
    height, width = size
    most = max((len(part) for part in instances), default=0)
    dtype = np.uint8 if most <= _MOST_IN_BYTE else np.int16
    maps = np.empty((len(instances), height // stride, width // stride), dtype)
    canvas = np.empty((height, width), dtype)
    for part, target in zip(instances, maps, strict=True):
        # The centre of a cell of two or four pixels a side lies between pixels of the image: on
        # the canvas whole numbers, the centres OpenCV paints, stand for exactly these points.
        paint_instances(part, canvas, stride % 2 / 2)
        target[:] = canvas[stride // 2 :: stride, stride // 2 :: stride]
    return maps


def paint_instances(
    instances: Instances, canvas: NDArray[np.uint8] | NDArray[np.int16], shift: float = 0.0
) -> None:
    """Paint k where the k-th object is, smaller objects on top.

    x, y falls on canvas[y - shift, x - shift].
    """
    canvas.fill(0)
    if not instances.has_rings:
        return
    points = to_fixed(instances.points - np.float32(shift))
    ends = np.cumsum(instances.ring_lengths).tolist()
    lengths = instances.ring_lengths.tolist()
    rings = [points[end - length : end] for end, length in zip(ends, lengths, strict=True)]
    last_ring = np.cumsum(instances.object_rings).tolist()
    first_ring = [0, *last_ring]
    even_odd = instances.even_odd.tolist()
    for index in np.argsort(-instances.areas(), kind="stable").tolist():
        own = rings[first_ring[index] : last_ring[index]]
        paint_fixed(canvas, own, index + 1, even_odd[index])
