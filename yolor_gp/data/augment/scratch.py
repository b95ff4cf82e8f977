"""Memory that is drawn on again and again: fresh memory is slow at first touch."""

from __future__ import annotations

import threading

import numpy as np

from yolor_gp.data.augment.scene import Picture


class Scratch:
    """One picture a thread. Its content lasts until the same thread asks again."""

    def __init__(self) -> None:
        self._local = threading.local()

    def picture(self, height: int, width: int) -> Picture:
        """u8[height, width, 3] of any content."""
        needed = height * width * 3
        memory: Picture | None = getattr(self._local, "memory", None)
        if memory is None or memory.size < needed:
            memory = self._local.memory = np.empty(needed, np.uint8)
        return memory[:needed].reshape(height, width, 3)
