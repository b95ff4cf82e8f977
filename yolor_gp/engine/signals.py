"""SIGTERM and SIGINT: the first asks training to stop after its step, the second ends at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

WATCHED = (signal.SIGTERM, signal.SIGINT)


def exit_code(received: int) -> int:
    """What a shell reports for a process ended by signal `received`: 143, 130."""
    return 128 + received


class StopRequest:
    """Remembers the first signal received while installed.

    Loader workers forked meanwhile inherit the handlers, so that Ctrl-C, which reaches the whole
    group of processes, does not take the workers away from under the step being finished.
    """

    def __init__(self) -> None:
        self.received: int | None = None

    @contextmanager
    def installed(self) -> Iterator[StopRequest]:
        """Handle the signals inside the block; outside, everything is as before.

        In another thread than the main one, which alone may handle signals, nothing is changed.

        Yields:
            This request.
        """
        if not _is_main_thread():
            yield self
            return
        before = {number: signal.signal(number, self._handle) for number in WATCHED}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        for watched in WATCHED:
            signal.signal(watched, signal.SIG_DFL)


@contextmanager
def termination_ignored() -> Iterator[None]:
    """Inside, SIGTERM is ignored: for the last words of a process that is about to end anyway."""
    if not _is_main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
