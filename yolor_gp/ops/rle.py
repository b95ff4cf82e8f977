"""COCO's compressed run-length encoding, written for many masks at once.

From runs, where pycocotools' `encode` asks for all pixels: 300 masks at 640 x 480 take 9 ms instead
of 39 (one core), not counting the drawing of pixels.

The format (pycocotools, rleToString): run lengths of the image read column by column, zeros first;
from the fourth on as the difference to the run two before; each number in groups of five bits, low
group first, bit 5 of a character meaning "more follows", plus 48 to make it text.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from yolor_gp.ops.run_lengths import Runs

Rle: TypeAlias = dict[str, Any]
"""{"size": [height, width], "counts": bytes}, as pycocotools' `encode` returns it."""


def encode(runs: Runs) -> list[Rle]:
    """The RLE of every mask, byte for byte what pycocotools makes of the full-size bitmaps."""
    masks = len(runs)
    if not masks:
        return []
    # Run lengths of a mask: the differences between 0, its changes and the image's end.
    lengths = np.diff(runs.offsets) + 1
    firsts = np.cumsum(lengths) - lengths
    begins = np.insert(runs.changes, runs.offsets[:-1], 0)
    ends = np.insert(runs.changes, runs.offsets[1:], runs.size[0] * runs.size[1])
    counts = ends - begins
    numbers = counts.copy()
    numbers[2:] -= counts[:-2]
    # Of each mask, the first three numbers are the lengths themselves.
    plain = (firsts[:, None] + np.arange(3))[np.arange(3) < lengths[:, None]]
    numbers[plain] = counts[plain]
    text, text_ends = _characters(numbers)
    bounds = [0, *text_ends[firsts + lengths - 1].tolist()]
    size = list(runs.size)
    return [{"size": list(size), "counts": text[begin:end]} for begin, end in pairwise(bounds)]


def _characters(numbers: NDArray[np.int64]) -> tuple[bytes, NDArray[np.int64]]:
    """The text of all `numbers`, and where each one's ends."""
    # The last group's top bit is the sign, so a group holds the magnitudes below 2^4, 2^9, ...
    magnitude = np.where(numbers < 0, ~numbers, numbers)
    most = max(1, -(-(int(magnitude.max()).bit_length() + 1) // 5))
    table = np.empty((len(numbers), most), dtype=np.uint8)
    used = np.ones((len(numbers), most), dtype=np.bool_)
    groups = np.ones(len(numbers), dtype=np.int64)
    for group in range(most):
        more = magnitude >= 1 << (5 * group + 4)
        table[:, group] = ((numbers >> (5 * group)) & 31) + 48 + 32 * more
        if group + 1 < most:
            used[:, group + 1] = more
            groups += more
    return table[used].tobytes(), np.cumsum(groups)
