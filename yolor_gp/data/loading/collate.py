"""Pictures and objects of several images as one batch, and the memory it lies in."""

from __future__ import annotations

import math
import weakref
from collections import deque
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from yolor_gp.data.labels.instances import Instances
from yolor_gp.data.labels.polygons import index_maps
from yolor_gp.ops.image_size import ImageSize
from yolor_gp.structures.batch import Batch, Targets
from yolor_gp.structures.sample import ImageMeta

_KEPT = 16
"""Free pieces of memory that are kept; beyond these, memory comes and goes."""


class BatchMemory:
    """Gives memory out again once the tensors that were made of it are gone.

    pin_memory: page-locked, for copies to a GPU; torch itself keeps such memory and knows when the
    copies have ended. Safe to use from several threads.
    """

    def __init__(self, pin_memory: bool = False) -> None:
        self._pin_memory = pin_memory
        self._free: deque[NDArray[np.uint8]] = deque(maxlen=_KEPT)

    def images(self, count: int, size: ImageSize) -> Tensor:
        """u8[count, 3, height, width] of any content."""
        shape = (count, 3, *size)
        needed = math.prod(shape)
        if self._pin_memory:
            return torch.empty(shape, dtype=torch.uint8, pin_memory=True)
        memory = self._taken(needed)
        # The tensor and all its views hold this one array: when the last of them goes, it goes,
        # and what lies behind it is free.
        handle = memory[:needed].reshape(shape)
        weakref.finalize(handle, self._free.append, memory).atexit = False
        return torch.from_numpy(handle)

    def _taken(self, size: int) -> NDArray[np.uint8]:
        try:
            memory = self._free.pop()
        except IndexError:
            return np.empty(size, np.uint8)
        return memory if memory.size >= size else np.empty(size, np.uint8)


def collate(
    images: Tensor,
    instances: Sequence[Instances],
    metas: Sequence[ImageMeta],
    mask_stride: int | None,
) -> Batch:
    """images: u8[B, 3, H, W], already filled; the objects of each in its pixels.

    mask_stride: pixels a side of a cell of the index maps; None: without them.
    """
    counts = np.array([len(part) for part in instances], np.int64)
    boxes = np.concatenate([part.boxes for part in instances])
    labels = np.concatenate([part.labels for part in instances])
    index_map = None
    if mask_stride is not None:
        height, width = images.shape[2:]
        index_map = torch.from_numpy(index_maps(instances, (height, width), mask_stride))
    targets = Targets(
        image_index=torch.from_numpy(np.repeat(np.arange(len(instances)), counts)),
        boxes=torch.from_numpy(np.ascontiguousarray(boxes, np.float32)),
        labels=torch.from_numpy(labels),
        index_map=index_map,
    )
    return Batch(images, targets, tuple(metas))
