"""Batches in an order and with pixels that depend on the seed alone.

Every random number of a picture comes from a generator keyed by (seed, epoch, position in the
epoch). So neither the number of workers nor that of ranks changes anything, and training resumed
at any step sees exactly what it would have seen. Workers of the training loader are processes,
each making the same rows of every batch in memory that is shared; where a system has no such
memory (all but Linux), and for validation, they are threads.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from yolor_gp.config.train_config import AugmentConfig
from yolor_gp.data.augment.compose import Augmentation
from yolor_gp.data.detection_dataset import DetectionDataset
from yolor_gp.data.loading.batch_plan import BatchPlan
from yolor_gp.data.loading.collate import BatchMemory, collate
from yolor_gp.data.loading.worker_processes import WorkerProcesses
from yolor_gp.data.pixels.shared_memory import AVAILABLE
from yolor_gp.errors import UserError
from yolor_gp.ops.letterbox import evaluation_letterbox, pad
from yolor_gp.structures.batch import Batch
from yolor_gp.structures.sample import MASK_STRIDE
from yolor_gp.workers import Workers


def train_loader(
    dataset: DetectionDataset,
    *,
    batch_size: int,
    augment: AugmentConfig,
    seed: int,
    workers: int,
    rank: int = 0,
    world_size: int = 1,
    mask_stride: int | None = MASK_STRIDE,
    stride: int = 32,
    pin_memory: bool = False,
    mosaic_epochs: int | None = None,
) -> TrainLoader:
    """Augmented training batches.

    Args:
        batch_size: Images of one process.
        mask_stride: Pixels a side of a cell of the index maps; None: boxes only.
        stride: Sides of images are multiples of it, where `augment.multi_scale` varies them.
        mosaic_epochs: Afterwards no images are combined (mosaic, mixup, copy-paste); None: never.

    Raises:
        UserError: When masks are asked for and the data set has boxes only.
        ValueError: When rank, batch size or image size cannot be.
    """
    if mask_stride is not None and dataset.has_boxes_only:
        raise UserError(
            f"{dataset.name}: has boxes only, but the network also learns masks; label outlines,"
            " or choose a model without a mask head"
        )
    if not 0 <= rank < world_size or batch_size < 1:
        raise ValueError(f"rank {rank} of {world_size}, batch size {batch_size}")
    plan = BatchPlan(dataset, augment, seed, batch_size, rank, world_size, mask_stride, stride)
    return TrainLoader(plan, workers, pin_memory, mosaic_epochs)


class TrainLoader:
    """See `train_loader`. `epoch` gives the batches of one epoch; `len` says how many."""

    def __init__(
        self, plan: BatchPlan, workers: int, pin_memory: bool, mosaic_epochs: int | None
    ) -> None:
        self._plan, self._mosaic_epochs = plan, mosaic_epochs
        self._augmentation = Augmentation(plan.dataset, plan.augment)
        self._pin_memory, self._count = pin_memory, workers
        self._processes: WorkerProcesses | None = None
        self._workers = Workers(0 if AVAILABLE else workers)
        self._memory = BatchMemory(pin_memory)

    def __len__(self) -> int:
        return math.ceil(len(self._plan.dataset) / self._plan.global_batch)

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from `start_step` on; beginning another ends this one.

        The last batch is filled up with images from the beginning of the epoch's order. Raises
        `UserError` naming an image that can't be read.
        """
        mosaic = self._mosaic_epochs is None or epoch < self._mosaic_epochs
        steps = range(start_step, len(self))
        if not (self._count and AVAILABLE):
            order = self.order(epoch)
            return self._workers.run(
                partial(self._batch, order, (epoch, step, mosaic)) for step in steps
            )
        if self._processes is None or not self._processes.close.alive:
            self._processes = WorkerProcesses(self._plan, self._count)
        batches = self._processes.run(epoch, steps, mosaic)
        return self._pinned(batches) if self._pin_memory else batches

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The images of an epoch, i64[N]."""
        return self._plan.order(epoch)

    def close(self) -> None:
        """End the worker processes; the next epoch would start new ones."""
        if self._processes is not None:
            self._processes.close()

    @staticmethod
    def _pinned(batches: Iterator[Batch]) -> Iterator[Batch]:
        """Copied to page-locked memory on a thread, ahead of the consumer."""
        return Workers(1).run(batch.pin_memory for batch in batches)

    def _batch(self, order: NDArray[np.int64], moment: tuple[int, int, bool]) -> Batch:
        plan, (epoch, step, _) = self._plan, moment
        images = self._memory.images(plan.batch_size, plan.size(epoch, step))
        rows = range(plan.batch_size)
        instances = plan.fill(self._augmentation, order, moment, rows, images.numpy())
        metas = [plan.dataset.meta(index) for index in plan.indices(order, step)]
        batch = collate(images, instances, metas, plan.mask_stride)
        return batch.pin_memory() if self._pin_memory else batch


def val_loader(
    dataset: DetectionDataset,
    *,
    batch_size: int,
    workers: int,
    rank: int = 0,
    world_size: int = 1,
    pin_memory: bool = False,
) -> ValLoader:
    """Letterboxed batches of every image once over all ranks, in order; can be read again.

    Rank r takes the images r, r + world_size, ...; a share may be one shorter than others, or
    empty. Targets hold the objects as training would see them (crowds left out).

    Raises:
        ValueError: When the data set was opened for another image size.
    """
    return ValLoader(dataset, batch_size, workers, rank, world_size, pin_memory)


class ValLoader:
    """See `val_loader`."""

    def __init__(
        self,
        dataset: DetectionDataset,
        batch_size: int,
        workers: int,
        rank: int,
        world_size: int,
        pin_memory: bool,
    ) -> None:
        self._dataset, self._batch_size = dataset, batch_size
        self._indices = range(rank, len(dataset), world_size)
        self._pin_memory = pin_memory
        self._workers = Workers(workers)
        self._memory = BatchMemory(pin_memory)

    def __len__(self) -> int:
        return math.ceil(len(self._indices) / self._batch_size)

    def __iter__(self) -> Iterator[Batch]:
        size = self._batch_size
        return self._workers.run(
            partial(self._batch, self._indices[first : first + size])
            for first in range(0, len(self._indices), size)
        )

    def _batch(self, indices: range) -> Batch:
        size = self._dataset.image_size
        images = self._memory.images(len(indices), size)
        instances, metas = [], []
        for index, out in zip(indices, images.numpy(), strict=True):
            letterbox = evaluation_letterbox(self._dataset.original_size(index), size)
            padded = pad(self._dataset.read_scaled(index), letterbox)
            cv2.split(padded, list(out))
            metas.append(replace(self._dataset.meta(index), letterbox=letterbox))
            scaled = self._dataset.instances(index).transform(letterbox.scale, letterbox.offset)
            instances.append(scaled)
        mask_stride = MASK_STRIDE if self._dataset.has_masks else None
        return collate(images, instances, metas, mask_stride)


class PictureLoader:
    """Pictures of a data set as they are on disk, (index, u8[H, W, 3]), read ahead on threads.

    Rank r takes the images r, r + world_size, ..., in order.
    """

    def __init__(
        self, dataset: DetectionDataset, workers: int, rank: int = 0, world_size: int = 1
    ) -> None:
        self._dataset, self._workers = dataset, Workers(workers)
        self._indices = range(rank, len(dataset), world_size)

    def __len__(self) -> int:
        return len(self._indices)

    def __iter__(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        return self._workers.run(partial(self._read, index) for index in self._indices)

    def _read(self, index: int) -> tuple[int, NDArray[np.uint8]]:
        return index, self._dataset.read_original(index)
