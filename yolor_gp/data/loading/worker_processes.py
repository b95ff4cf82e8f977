"""Batches made by processes of their own, ahead of whoever consumes them.

Every process makes rows of each batch, in memory that is used again. Two of them give 669 images/s
where torch's DataLoader gives 440; from a RAM cache 665 where it gives 524 (docs/benchmarks.md).
"""

from __future__ import annotations

import os
import pickle
import socket
import weakref
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np
import torch
from numpy.typing import NDArray

from yolor_gp.data.augment.transforms import modules_of
from yolor_gp.data.loading import forked
from yolor_gp.data.loading.batch_plan import BatchPlan
from yolor_gp.data.loading.worker_process import Answer, Job, Part, Setup, slot_size, slot_views
from yolor_gp.data.pixels.shared_memory import SharedMemory
from yolor_gp.errors import UserError
from yolor_gp.plugins import is_plugin_file, loaded_plugins
from yolor_gp.structures.batch import Batch, Targets

AHEAD = 3
"""Batches in the making while one is consumed."""


@dataclass
class _Slot:
    memory: SharedMemory
    user: weakref.ref[NDArray[np.uint8]] | None = None
    known: bool = False


class WorkerProcesses:
    """Processes that make the same rows of every batch, started at once.

    `close` ends them, as do the end of this object and that of its process, however it ends.
    """

    def __init__(self, plan: BatchPlan, count: int) -> None:
        self._plan, self._shares = plan, plan.shares(count)
        plugins = (*loaded_plugins(), *_modules_of_transforms(plan))
        process, self._channels = forked.start(
            "yolor_gp.data.loading.worker_process", len(self._shares), plugins
        )
        self._connections = [Connection(os.dup(our.fileno())) for our in self._channels]
        self.close = weakref.finalize(self, forked.end, process, self._channels, self._connections)
        self._slots: list[_Slot] = []
        self._running: deque[tuple[Job, NDArray[np.uint8]]] = deque()
        self._turn: object = None
        try:
            self._introduce()
        except OSError:
            raise self._lost() from None

    def run(self, epoch: int, steps: range, mosaic: bool) -> Iterator[Batch]:
        """The batches of an epoch. What was begun and is not wanted any more is dropped.

        Yields:
            The batches, in the order of the steps.
        """
        turn = self._turn = object()
        try:
            while self._running:
                self._receive()
            order = self._plan.order(epoch)
            for step in steps:
                self._send(epoch, step, mosaic)
                if len(self._running) > AHEAD:
                    yield self._receive_batch(order)
                    self._check(turn)
            while self._running:
                yield self._receive_batch(order)
                self._check(turn)
        except (EOFError, OSError):
            raise self._lost() from None

    def _introduce(self) -> None:
        store = self._plan.dataset.store
        for rows, connection, channel in zip(
            self._shares, self._connections, self._channels, strict=True
        ):
            setup = Setup(self._plan, rows, len(self._shares), has_store=store is not None)
            connection.send_bytes(pickle.dumps(setup))
            if store is not None:
                socket.send_fds(channel, [b"h"], [store.memory.handle])

    def _check(self, turn: object) -> None:
        if turn is not self._turn:
            raise RuntimeError("another epoch of this loader was begun")

    def _send(self, epoch: int, step: int, mosaic: bool) -> None:
        size = self._plan.size(epoch, step)
        number, slot = self._free_slot()
        memory = slot.memory.bytes()
        slot.user = weakref.ref(memory)
        job = Job((epoch, step, mosaic), size, number, 0 if slot.known else slot.memory.size)
        self._running.append((job, memory))
        for connection, channel in zip(self._connections, self._channels, strict=True):
            connection.send(job)
            if job.memory:
                socket.send_fds(channel, [b"h"], [slot.memory.handle])
        slot.known = True

    def _free_slot(self) -> tuple[int, _Slot]:
        """Memory of a batch that nobody holds any more: every tensor made of it is gone."""
        for number, slot in enumerate(self._slots):
            if slot.user is None or slot.user() is None:
                return number, slot
        self._slots.append(_Slot(SharedMemory(slot_size(self._plan))))
        return len(self._slots) - 1, self._slots[-1]

    def _receive(self) -> tuple[Job, NDArray[np.uint8], list[Answer]]:
        """The oldest batch in the making, with what every worker answered."""
        answers = [connection.recv() for connection in self._connections]
        return *self._running.popleft(), answers

    def _receive_batch(self, order: NDArray[np.int64]) -> Batch:
        job, memory, answers = self._receive()
        parts = [_part(answer) for answer in answers]
        images, maps = slot_views(memory, self._plan, job.size)
        index_map = None
        if self._plan.mask_stride is not None:
            index_map = torch.from_numpy(_joined(maps, parts, self._shares))
        counts = [count for part in parts for count in part.counts]
        targets = Targets(
            torch.from_numpy(np.repeat(np.arange(len(counts)), counts)),
            torch.from_numpy(np.concatenate([part.boxes for part in parts])),
            torch.from_numpy(np.concatenate([part.labels for part in parts])),
            index_map,
        )
        dataset = self._plan.dataset
        metas = tuple(dataset.meta(k) for k in self._plan.indices(order, job.moment[1]))
        return Batch(torch.from_numpy(images), targets, metas)

    def _lost(self) -> UserError:
        self.close()
        return UserError(
            "a worker process of the loader ended unexpectedly, perhaps killed for want of memory;"
            " lower --workers, or choose --cache none"
        )


def _modules_of_transforms(plan: BatchPlan) -> list[str]:
    """Beside those that were loaded by name: a module may also simply have been imported."""
    return [name for name in modules_of(plan.augment.transforms) if not is_plugin_file(name)]


def _part(answer: Answer) -> Part:
    if isinstance(answer, UserError):
        raise answer
    if isinstance(answer, str):
        raise RuntimeError(f"a worker of the loader failed:\n{answer}")
    return answer


def _joined(
    maps: NDArray[np.uint8], parts: list[Part], shares: list[range]
) -> NDArray[np.uint8] | NDArray[np.int16]:
    if all(part.index_map is None for part in parts):
        return maps
    wide = maps.astype(np.int16)
    for part, rows in zip(parts, shares, strict=True):
        if part.index_map is not None:
            wide[rows.start : rows.stop] = part.index_map
    return wide
