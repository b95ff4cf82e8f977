"""Which object is where: the masks of a batch as one small map per image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from yolor_gp.data.labels.instances import Instances
from yolor_gp.data.labels.polygons import paint_fixed, to_fixed
from yolor_gp.structures.sample import MASK_STRIDE

_MOST_IN_BYTE = 255


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
