"""Jobs run ahead of whoever consumes their results."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

AHEAD = 2
"""Jobs each worker may be ahead of the consumer."""

Result = TypeVar("Result")


class Workers:
    """Runs jobs ahead of their consumer, in order, on `count` threads (0: on the caller's)."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool = ThreadPoolExecutor(count, "loader") if count else None

    def run(self, jobs: Iterable[Callable[[], Result]]) -> Iterator[Result]:
        """The results of the jobs. What was begun and is not wanted any more is dropped."""
        if self._pool is None:
            for job in jobs:
                yield job()
            return
        running: deque[Future[Result]] = deque()
        try:
            for job in jobs:
                running.append(self._pool.submit(job))
                if len(running) > self._count * AHEAD:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()
