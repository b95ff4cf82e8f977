"""Pictures worked on a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterator

from yolor_gp.data.augment.scene import Picture

_BYTES = 96 * 1024
"""What fits the processor's nearer caches, and what `malloc` serves without asking the system for
fresh pages (which it does from 128 KiB on): together this nearly halves the time of colours."""


def strips(image: Picture) -> Iterator[slice]:
    """Slices of rows of u8[H, W, 3] that together are the whole picture; none of an empty one."""
    if not image.size:
        return
    rows = max(_BYTES // max(image.shape[1] * image.shape[2], 1), 1)
    for first in range(0, image.shape[0], rows):
        yield slice(first, min(first + rows, image.shape[0]))
