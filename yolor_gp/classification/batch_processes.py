"""Training batches made by processes of their own, ahead of whoever consumes them."""

from __future__ import annotations

import os
import pickle
import socket
import traceback
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any, Protocol

import torch
from numpy.typing import NDArray

from yolor_gp.data.loading import forked
from yolor_gp.errors import UserError
from yolor_gp.process.opencv import silence_opencv

_AHEAD = 2
"""Batches each worker may be ahead."""

Arrays = tuple[NDArray[Any], NDArray[Any]]
Key = tuple[int, int]
"""Epoch and step."""


class Maker(Protocol):
    """Makes a batch from its key alone, in any process."""

    def arrays(self, epoch: int, step: int) -> Arrays: ...  # noqa: D102


class BatchProcesses:
    """Processes that make whole batches in turn.

    `close` ends them, as do the end of this object and that of its process, however it ends.
    """

    def __init__(self, maker: Maker, count: int) -> None:
        process, channels = forked.start(__name__, count)
        self._connections = [Connection(os.dup(channel.fileno())) for channel in channels]
        self.close = weakref.finalize(self, forked.end, process, channels, self._connections)
        self._running: deque[int] = deque()
        self._turn: object = None
        content = pickle.dumps(maker)
        try:
            for connection in self._connections:
                connection.send_bytes(content)
        except OSError:
            raise self._lost() from None

    def run(self, keys: Sequence[Key]) -> Iterator[Arrays]:
        """The batches in order. What was begun and is not wanted any more is dropped.

        Yields:
            Images and targets.

        Raises:
            UserError: For an image that cannot be read, and when a worker is gone.
        """
        turn = self._turn = object()
        count = len(self._connections)
        try:
            while self._running:
                self._receive()
            for position, key in enumerate(keys):
                worker = position % count
                self._connections[worker].send(key)
                self._running.append(worker)
                if len(self._running) > count * _AHEAD:
                    yield self._answer()
                    self._check(turn)
            while self._running:
                yield self._answer()
                self._check(turn)
        except (EOFError, OSError):
            raise self._lost() from None

    def _receive(self) -> object:
        return self._connections[self._running.popleft()].recv()

    def _answer(self) -> Arrays:
        answer = self._receive()
        if isinstance(answer, UserError):
            raise answer
        if isinstance(answer, str):
            raise RuntimeError(f"a worker of the loader failed:\n{answer}")
        assert isinstance(answer, tuple)
        return answer

    def _check(self, turn: object) -> None:
        if turn is not self._turn:
            raise RuntimeError("another epoch of this loader was begun")

    def _lost(self) -> UserError:
        self.close()
        return UserError(
            "a worker process of the loader ended unexpectedly, perhaps killed for want of memory;"
            " lower --workers"
        )


def main(handles: list[int]) -> None:
    """What the fresh interpreter runs: a worker for each socket."""
    forked.serve(handles, _serve)


def _serve(handle: int) -> None:
    torch.set_num_threads(1)
    silence_opencv()
    connection = Connection(socket.socket(fileno=handle).detach())
    # From the parent process, through a pipe nobody else has.
    maker: Maker = pickle.loads(connection.recv_bytes())  # noqa: S301
    while True:
        epoch, step = connection.recv()
        answer: object
        try:
            answer = maker.arrays(epoch, step)
        except UserError as error:
            answer = UserError(*error.problems)
        except Exception:  # told in the loader's process
            answer = traceback.format_exc()
        connection.send(answer)
