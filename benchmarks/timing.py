"""One timed run, and what many of them say."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Timed:
    """value: seconds, or a rate; result: what was computed, for comparison (picklable).

    processor: seconds of all the process's threads, None where other processes do the work. Other
    programs on the machine change it much less than they change `value`.
    """

    value: float
    result: Any = None
    processor: float | None = None


Run: TypeAlias = Callable[[], Timed]
"""Does the work once and measures it."""


def timed(
    work: Callable[[Any], Any], *, device: str = "cpu", prepare: Callable[[], Any] = lambda: None
) -> Run:
    """Seconds of `work(prepare())` without the preparation; on CUDA, until the device is done."""

    def run() -> Timed:
        value = prepare()
        synchronize(device)
        start, before = time.perf_counter(), time.process_time()
        result = work(value)
        synchronize(device)
        return Timed(time.perf_counter() - start, result, time.process_time() - before)

    return run


def synchronize(device: str) -> None:
    """Wait until a CUDA device has done all it was given; nothing elsewhere."""
    if device.startswith("cuda"):
        import torch  # here, as processes without it start in a tenth of the time

        torch.cuda.synchronize(device)


@dataclass(frozen=True)
class Figures:
    """The median of several runs, and their extremes."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Figures:
        """Raises `ValueError` without values."""
        if not values:
            raise ValueError("no runs to take a median of")
        return cls(statistics.median(values), min(values), max(values))


def turns(count: int, repeats: int) -> list[list[int]]:
    """The order of `count` contenders in each round; everyone goes first about equally often."""
    if count == 0:
        return []
    order = list(range(count))
    return [order[first % count :] + order[: first % count] for first in range(repeats)]
