"""Binary masks as runs: the places where a mask begins or ends, reading its image by columns.

That is how COCO's RLE reads an image. A mask of many thousand pixels has a few hundred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Runs:
    """N masks of `size` (height, width).

    changes: i64[M], positions column * height + row at which pixels switch between out and in, all
    masks one after the other, rising within each; offsets: i64[N + 1], where each mask's begin.
    """

    size: tuple[int, int]
    changes: NDArray[np.int64]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def of(self, index: int) -> NDArray[np.int64]:
        """The changes of one mask: out, in, out, ..."""
        return self.changes[self.offsets[index] : self.offsets[index + 1]]

    def areas(self) -> NDArray[np.int64]:
        """Pixels of each mask: i64[N]."""
        ends = self._padded()
        lengths = np.concatenate(([0], np.cumsum(ends[1::2] - ends[::2])))
        halves = (self.offsets + self._odd_before()) // 2
        return np.asarray(np.diff(lengths[halves]))

    def select(self, indices: NDArray[np.int64]) -> Runs:
        """The masks at `indices`, in that order."""
        return runs_of([self.of(index) for index in indices.tolist()], self.size)

    def columns(self, index: int, window: Sequence[int]) -> NDArray[np.bool_]:
        """One mask inside its window (left, top, right, bottom): bool[width, height]."""
        left, top, right, bottom = window
        height = self.size[0]
        length = (right - left) * height
        edges = np.clip(self.of(index) - left * height, 0, length)
        flat = np.repeat(
            np.arange(len(edges) + 1) % 2 == 1, np.diff(edges, prepend=0, append=length)
        )
        return flat.reshape(right - left, height)[:, top:bottom]

    def _odd_before(self) -> NDArray[np.int64]:
        """How many masks before each one never end: i64[N + 1]."""
        return np.concatenate(([0], np.cumsum(np.diff(self.offsets) % 2)))

    def _padded(self) -> NDArray[np.int64]:
        """The changes with an end added to masks that reach the image's last pixel."""
        odd = np.flatnonzero(np.diff(self.offsets) % 2)
        return np.insert(self.changes, self.offsets[odd + 1], self.size[0] * self.size[1])


def runs_of(changes: Sequence[NDArray[np.int64]], size: tuple[int, int]) -> Runs:
    """`Runs` from each mask's changes."""
    lengths = [len(one) for one in changes]
    offsets = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
    flat = np.concatenate([np.zeros(0, np.int64), *changes])
    return Runs((int(size[0]), int(size[1])), flat, offsets)


def runs_of_windows(
    windows: NDArray[np.int64], columns: Sequence[NDArray[np.bool_]], size: tuple[int, int]
) -> Runs:
    """`Runs` of masks that are empty outside a window.

    windows: i64[N, 4] left, top, right, bottom (exclusive); columns: per mask bool[width, height].
    """
    pairs = zip(columns, windows.tolist(), strict=True)
    origins = np.arange(len(windows)) * (size[0] * size[1] + 1)
    keys = [
        origin + _changes(mask, left, top, size[0])
        for origin, (mask, (left, top, _, _)) in zip(origins, pairs, strict=True)
    ]
    return runs_of_keys(keys, len(windows), size)


def runs_of_keys(parts: Sequence[NDArray[np.int64]], count: int, size: tuple[int, int]) -> Runs:
    """`Runs` of `count` masks from all their changes, in any order.

    parts: of keys, mask * (height * width + 1) + position; changes at the same place undo each
    other, and one at the image's very end, height * width, is none.
    """
    keys = np.concatenate([np.zeros(0, np.int64), *parts])
    keys.sort()
    keys = _join_changes(keys)
    origins = np.arange(count + 1) * (size[0] * size[1] + 1)
    ends, beyond = np.searchsorted(keys, origins[1:] - 1), np.searchsorted(keys, origins[1:])
    keys = np.delete(keys, ends[ends < beyond])
    offsets = np.searchsorted(keys, origins)
    keys -= np.repeat(origins[:-1], np.diff(offsets))
    return Runs((int(size[0]), int(size[1])), keys, offsets)


def _join_changes(positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rising positions without those that occur an even number of times: they undo each other."""
    again = np.flatnonzero(positions[1:] == positions[:-1])
    if not len(again):
        return positions
    first = again[np.diff(again, prepend=-2) > 1]
    counts = np.searchsorted(positions, positions[first], "right") - first
    kept = np.ones(len(positions), np.bool_)
    kept[again] = kept[again + 1] = False
    kept[first] = counts % 2 == 1
    return positions[kept]


def _changes(mask: NDArray[np.bool_], left: int, top: int, height: int) -> NDArray[np.int64]:
    """Where the pixel columns of a window begin and end in an image of this height."""
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), dtype=np.bool_)
    padded[:, 1:-1] = mask
    column, row = np.nonzero(padded[:, 1:] != padded[:, :-1])
    changes: NDArray[np.int64] = (column + left) * height + row + top
    return changes
