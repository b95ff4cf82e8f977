"""Memory of batches that nobody holds any more: fresh memory is slow at first touch."""

from __future__ import annotations

import sys
import threading

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_KEPT = 16
"""Batches whose memory is looked after; beyond these, memory comes and goes."""

_UNUSED = 3
"""References to an array that only the list, a loop's variable and the question itself refer to."""


class BatchMemory:
    """Gives memory out again once the tensors that were made of it are gone.

    pin_memory: page-locked, for copies to a GPU; torch itself keeps such memory and knows when the
    copies have ended. Safe to use from several threads.
    """

    def __init__(self, pin_memory: bool = False) -> None:
        self._pin_memory = pin_memory
        self._arrays: list[NDArray[np.uint8]] = []
        self._lock = threading.Lock()

    def images(self, count: int, side: int) -> Tensor:
        """u8[count, 3, side, side] of any content."""
        shape = (count, 3, side, side)
        if self._pin_memory:
            return torch.empty(shape, dtype=torch.uint8, pin_memory=True)
        with self._lock:
            for array in self._arrays:
                if sys.getrefcount(array) == _UNUSED and array.shape == shape:
                    return torch.from_numpy(array)
            array = np.empty(shape, np.uint8)
            self._arrays = [*self._arrays[-_KEPT + 1 :], array]
            return torch.from_numpy(array)
