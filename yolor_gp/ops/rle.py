"""COCO's run-length encoding of masks that are empty outside a window.

The format (pycocotools, rleEncode and rleToString): run lengths of the image read column by column,
zeros first; from the fourth on as the difference to the run two before; each number in groups of
five bits, low group first, bit 5 of a character meaning "more follows", plus 48 to make it text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Rle: TypeAlias = dict[str, Any]
"""{"size": [height, width], "counts": bytes}, as pycocotools' `encode` returns it."""


def encode_windows(
    windows: NDArray[np.int64], columns: Sequence[NDArray[np.bool_]], image_size: tuple[int, int]
) -> list[Rle]:
    """RLE of N masks of `image_size` (height, width).

    windows: i64[N, 4] left, top, right, bottom (exclusive); columns: per mask bool[width, height].
    """
    size = [int(image_size[0]), int(image_size[1])]
    runs = [
        _run_lengths(mask, window, size)
        for mask, window in zip(columns, windows.tolist(), strict=True)
    ]
    return [{"size": list(size), "counts": text} for text in _compress(runs)]


def _run_lengths(mask: NDArray[np.bool_], window: list[int], size: list[int]) -> NDArray[np.int64]:
    """Run lengths of the full image read column by column, zeros first."""
    height, width = size
    left, top = window[:2]
    rows = mask.shape[1]
    if rows == height:
        # Runs go on from one column to the next, so the window is one line.
        mask = mask.reshape(1, -1)
    padded = np.zeros((mask.shape[0], mask.shape[1] + 1), dtype=np.bool_)
    padded[:, :-1] = mask
    flat = padded.reshape(-1)
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat.size and flat[0]:
        changes = np.concatenate((np.zeros(1, dtype=np.int64), changes))
    if rows != height:
        # A padded column is rows + 1 long, a column of the image `height`.
        column = changes // (rows + 1)
        changes += column * (height - rows - 1) + top
    ends = np.concatenate(([0], changes + left * height, [height * width]))
    counts = np.diff(ends)
    # A mask that ends with a set pixel has no trailing zeros to state.
    return counts[:-1] if len(changes) and counts[-1] == 0 else counts


def _compress(runs: list[NDArray[np.int64]]) -> list[bytes]:
    """rleToString of many masks at once."""
    if not runs:
        return []
    lengths = np.array([len(counts) for counts in runs])
    flat = np.concatenate(runs)
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    position = np.arange(len(flat)) - starts
    values = flat.copy()
    later = np.flatnonzero(position > 2)
    values[later] -= flat[later - 2]
    groups = _group_counts(values)
    ends = np.cumsum(groups)
    text = np.empty(ends[-1], dtype=np.uint8)
    begin = ends - groups
    for group in range(int(groups.max())):
        here = np.flatnonzero(groups > group)
        bits = (values[here] >> (5 * group)) & 0x1F
        bits |= np.where(groups[here] > group + 1, 0x20, 0)
        text[begin[here] + group] = bits + 48
    whole = text.tobytes()
    mask_ends = ends[np.cumsum(lengths) - 1].tolist()
    return [whole[a:b] for a, b in zip([0, *mask_ends[:-1]], mask_ends, strict=True)]


def _group_counts(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many five-bit groups each signed number needs; the top bit of the last is the sign."""
    magnitude = np.where(values < 0, ~values, values)
    groups = np.ones(len(values), dtype=np.int64)
    rest = magnitude >> 4
    while rest.any():
        groups += rest != 0
        rest >>= 5
    return groups
