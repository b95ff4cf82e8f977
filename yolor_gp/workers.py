"""Work done on threads ahead of whoever wants it, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from itertools import count
from typing import TypeVar

AHEAD = 2
"""Jobs each worker may be ahead of the consumer."""

Result = TypeVar("Result")


class Workers:
    """Runs jobs ahead of their consumer, in order, on `threads` threads (0: on the caller's)."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, "worker") if threads else None

    def run(self, jobs: Iterable[Callable[[], Result]]) -> Iterator[Result]:
        """The results of the jobs, which are taken from the iterable on the caller's thread.

        When the consumer goes, jobs that wait are dropped and those that run are waited for.

        Yields:
            The results, in the order of the jobs.
        """
        if self._pool is None:
            for job in jobs:
                yield job()
            return
        running: deque[Future[Result]] = deque()
        try:
            for job in jobs:
                running.append(self._pool.submit(job))
                if len(running) > self._threads * AHEAD:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            wait([future for future in running if not future.cancel()])


def read_ahead(items: Iterable[Result]) -> Iterator[Result]:
    """The same, made on a thread of their own while earlier ones are worked on.

    Yields:
        The items, in their order.
    """
    iterator, end = iter(items), object()
    for item in Workers(1).run(partial(next, iterator, end) for _ in count()):
        if item is end:
            return
        yield item
