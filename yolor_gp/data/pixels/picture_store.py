"""All scaled pictures of a data set in memory that worker processes share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yolor_gp.data.pixels.shared_memory import SharedMemory


class PictureStore:
    """Pictures by index, none ever dropped; has the methods of `ImageCache`.

    sizes: i64[N, 2], height and width of each. Two processes that put the same picture write the
    same bytes, so no lock is needed; a picture is there once its flag is set, after its bytes.
    """

    def __init__(self, sizes: NDArray[np.int64], handle: int | None = None) -> None:
        self.sizes = sizes
        self._ends = len(sizes) + np.cumsum(3 * sizes.prod(axis=1))
        self.memory = SharedMemory(int(self._ends[-1]), handle)
        self._bytes = self.memory.bytes()

    def get(self, index: int) -> NDArray[np.uint8] | None:
        """The picture, if it is here. Don't write to it."""
        return self._picture(index) if self._bytes[index] else None

    def put(self, index: int, image: NDArray[np.uint8]) -> None:
        """Keep a picture."""
        self._picture(index)[:] = image
        self._bytes[index] = 1

    def _picture(self, index: int) -> NDArray[np.uint8]:
        height, width = self.sizes[index].tolist()
        end = int(self._ends[index])
        return self._bytes[end - 3 * height * width : end].reshape(height, width, 3)
