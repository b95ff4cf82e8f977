"""Python's cycle collector, kept from looking at millions of small objects again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """While many lists and dictionaries are made that form no cycles.

    Half of the time where they stand for a hundred thousand masks, or a large JSON.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
