"""Memory that several processes see, known by a file descriptor.

Anonymous files (`memfd_create`, Linux) and not /dev/shm, which containers keep small.
"""

from __future__ import annotations

import mmap
import os
import weakref

import numpy as np
from numpy.typing import NDArray

AVAILABLE = hasattr(os, "memfd_create")
"""Whether this system has such memory."""


class SharedMemory:
    """`size` bytes, zero at first and taken from the system as they are touched.

    handle: that of memory which another process made; it is this object's from now on.
    """

    def __init__(self, size: int, handle: int | None = None) -> None:
        if handle is None:
            handle = os.memfd_create("yolor_gp")
            os.ftruncate(handle, size)
        weakref.finalize(self, os.close, handle)
        self.handle, self.size = handle, size
        self._map = mmap.mmap(handle, size)

    def bytes(self) -> NDArray[np.uint8]:
        """All of it, u8[size]; the memory stays as long as the array or a view of it does."""
        return np.frombuffer(self._map, np.uint8)
