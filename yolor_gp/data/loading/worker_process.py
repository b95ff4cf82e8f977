"""What a worker process of the training loader does: its rows of every batch.

Nothing here imports torch, whose import would take most of the time until the first batch.
"""

from __future__ import annotations

import math
import os
import pickle
import socket
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from yolor_gp.data.augment.compose import Augmentation
from yolor_gp.data.labels.polygons import index_maps
from yolor_gp.data.loading.batch_plan import BatchPlan
from yolor_gp.data.loading.forked import serve
from yolor_gp.data.pixels.shared_memory import SharedMemory
from yolor_gp.errors import UserError
from yolor_gp.ops.image_size import ImageSize
from yolor_gp.process.opencv import silence_opencv


@dataclass(frozen=True)
class Job:
    """Rows of the batch at `moment` (epoch, step, mosaic) of `size` into slot `slot`.

    memory: the bytes of the slot when it is new, its handle then follows; 0 otherwise.
    """

    moment: tuple[int, int, bool]
    size: ImageSize
    slot: int
    memory: int


@dataclass(frozen=True)
class Setup:
    """What a worker is told first."""

    plan: BatchPlan
    rows: range
    processes: int
    has_store: bool


@dataclass(frozen=True)
class Part:
    """counts: objects in each image; index_map: where the slot's bytes can't hold it."""

    counts: list[int]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    index_map: NDArray[np.int16] | None = None


Answer: TypeAlias = Part | UserError | str
"""str: the traceback of an error that should not have been."""


def slot_size(plan: BatchPlan) -> int:
    """Bytes of the largest batch."""
    cell = 0 if plan.mask_stride is None else plan.mask_stride**2
    pixels = plan.largest_size.pixels
    return plan.batch_size * (3 * pixels + (pixels // cell if cell else 0))


def slot_views(
    memory: NDArray[np.uint8], plan: BatchPlan, size: ImageSize
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The pictures u8[B, 3, height, width] and index maps of a batch of this size in a slot."""
    count, stride = plan.batch_size, plan.mask_stride
    images = (count, 3, *size)
    maps = (0, 0, 0) if stride is None else (count, size.height // stride, size.width // stride)
    pixels, cells = math.prod(images), math.prod(maps)
    return memory[:pixels].reshape(images), memory[pixels:][:cells].reshape(maps)


def main(handles: list[int]) -> None:
    """Fork a worker for each socket."""
    serve(handles, _serve)


def _serve(handle: int) -> None:
    cv2.setNumThreads(1)
    silence_opencv()
    connection = Connection(handle)
    channel = socket.socket(fileno=os.dup(handle))
    plan, rows = _receive_plan(connection, channel)
    augmentation = Augmentation(plan.dataset, plan.augment)
    slots: dict[int, SharedMemory] = {}
    epoch, order = -1, np.empty(0, np.int64)
    while True:
        job: Job = connection.recv()
        if job.memory:
            slots[job.slot] = SharedMemory(job.memory, _receive_handle(channel))
        if job.moment[0] != epoch:
            epoch, order = job.moment[0], plan.order(job.moment[0])
        answer: Answer
        try:
            memory = slots[job.slot].bytes()
            images, maps = slot_views(memory, plan, job.size)
            own = slice(rows.start, rows.stop)
            instances = plan.fill(augmentation, order, job.moment, rows, images[own])
            wide = None
            if plan.mask_stride is not None:
                made = index_maps(instances, job.size, plan.mask_stride)
                if made.dtype == np.uint8:
                    maps[own] = made
                else:
                    wide = made.astype(np.int16)
            answer = Part(
                [len(part) for part in instances],
                np.concatenate([part.boxes for part in instances]).astype(np.float32),
                np.concatenate([part.labels for part in instances]),
                wide,
            )
        except UserError as error:
            answer = UserError(*error.problems)
        except Exception:  # told in the loader's process
            answer = traceback.format_exc()
        connection.send(answer)


def _receive_plan(connection: Connection, channel: socket.socket) -> tuple[BatchPlan, range]:
    # From the parent process, through a pipe nobody else has.
    setup: Setup = pickle.loads(connection.recv_bytes())  # noqa: S301
    handle = _receive_handle(channel) if setup.has_store else None
    setup.plan.dataset.join_workers(setup.processes, handle)
    return setup.plan, setup.rows


def _receive_handle(channel: socket.socket) -> int:
    _, handles, _, _ = socket.recv_fds(channel, 1, 1)
    if not handles:
        raise EOFError
    return handles[0]
