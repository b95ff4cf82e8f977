"""Memory of batches that nobody holds any more: fresh memory is slow at first touch."""

from __future__ import annotations

import weakref
from collections import deque

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

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

    def images(self, count: int, side: int) -> Tensor:
        """u8[count, 3, side, side] of any content."""
        shape = (count, 3, side, side)
        if self._pin_memory:
            return torch.empty(shape, dtype=torch.uint8, pin_memory=True)
        memory = self._taken(count * 3 * side * side)
        # The tensor and all its views hold this one array: when the last of them goes, it goes,
        # and what lies behind it is free.
        handle = memory[: count * 3 * side * side].reshape(shape)
        weakref.finalize(handle, self._free.append, memory).atexit = False
        return torch.from_numpy(handle)

    def _taken(self, size: int) -> NDArray[np.uint8]:
        try:
            memory = self._free.pop()
        except IndexError:
            return np.empty(size, np.uint8)
        return memory if memory.size >= size else np.empty(size, np.uint8)
