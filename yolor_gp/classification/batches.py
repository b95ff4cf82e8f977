"""Training and validation batches, which depend on the seed, the epoch and the step alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from yolor_gp.classification.augment import (
    applied,
    batch_transform,
    seeded,
    training_transform,
    validation_transform,
)
from yolor_gp.classification.batch_processes import BatchProcesses
from yolor_gp.classification.labelled_images import LabelledImages
from yolor_gp.config.classification_config import ClassAugmentConfig
from yolor_gp.workers import Workers

_ORDER, _IMAGE, _MIX = range(3)
"""What a random number is drawn for."""


@dataclass(frozen=True)
class ImageOrigin:
    """Where an image of a batch comes from."""

    path: str


@dataclass(frozen=True)
class ClassBatch:
    """B labelled images.

    Attributes:
        images: u8[B, 3, H, W]; f32 in 0..1 where images were mixed.
        targets: i64[B]; f32[B, C], the share of each class, where images were mixed.
        metas: One for each image.
    """

    images: Tensor
    targets: Tensor
    metas: tuple[ImageOrigin, ...]

    def __len__(self) -> int:
        return len(self.metas)

    def pin_memory(self) -> ClassBatch:
        """The same in page-locked memory, for copies to a GPU."""
        return ClassBatch(self.images.pin_memory(), self.targets.pin_memory(), self.metas)


@dataclass(frozen=True)
class BatchMaker:
    """Makes the batches of one rank; the last of an epoch is filled up from its beginning."""

    dataset: LabelledImages
    augment: ClassAugmentConfig
    seed: int
    size: int
    batch_size: int
    rank: int = 0
    world_size: int = 1

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return math.ceil(len(self.dataset) / (self.batch_size * self.world_size))

    def indices(self, epoch: int, step: int) -> list[int]:
        """The images of a batch."""
        order = self._order(epoch)
        first = (step * self.world_size + self.rank) * self.batch_size
        return [int(order[p % len(order)]) for p in range(first, first + self.batch_size)]

    def arrays(self, epoch: int, step: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Images and targets of a batch, as in `ClassBatch`."""
        first = (step * self.world_size + self.rank) * self.batch_size
        images = []
        for row, index in enumerate(self.indices(epoch, step)):
            with seeded(self.seed, epoch, _IMAGE, first + row):
                images.append(applied(self._transform, self.dataset.read(index)))
        batch = torch.stack(images)
        targets = torch.from_numpy(self.dataset.labels[self.indices(epoch, step)])
        if self._mix is not None:
            with seeded(self.seed, epoch, _MIX, step * self.world_size + self.rank):
                batch, targets = self._mix(batch.float().div_(255), targets)
        return batch.numpy(), targets.numpy()

    def batch(self, epoch: int, step: int, arrays: tuple[NDArray[Any], NDArray[Any]]) -> ClassBatch:
        """What `arrays` gave, with where it comes from."""
        images, targets = map(torch.from_numpy, arrays)
        paths = self.dataset.paths
        metas = tuple(ImageOrigin(paths[index]) for index in self.indices(epoch, step))
        return ClassBatch(images, targets, metas)

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if epoch not in self._orders:
            self._orders.clear()
            key = np.random.SeedSequence((self.seed, epoch, _ORDER))
            generator = np.random.Generator(np.random.Philox(key))
            self._orders[epoch] = generator.permutation(len(self.dataset))
        return self._orders[epoch]

    _orders: dict[int, NDArray[np.int64]] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def _transform(self) -> Any:
        return training_transform(self.augment, self.size)

    @cached_property
    def _mix(self) -> Any:
        return batch_transform(self.augment, len(self.dataset.names))


class TrainBatches:
    """The batches of an epoch from any step on; workers are processes, 0: this one."""

    def __init__(self, maker: BatchMaker, workers: int, pin_memory: bool = False) -> None:
        self._maker, self._count, self._pin_memory = maker, workers, pin_memory
        self._processes: BatchProcesses | None = None

    def __len__(self) -> int:
        return self._maker.steps

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[ClassBatch]:
        """The batches; beginning another epoch ends this one."""
        steps = range(start_step, len(self))
        if not self._count:
            return (self._alone(epoch, step) for step in steps)
        if self._processes is None or not self._processes.close.alive:
            self._processes = BatchProcesses(self._maker, self._count)
        made = self._processes.run([(epoch, step) for step in steps])
        batches = (
            self._maker.batch(epoch, step, arrays) for step, arrays in zip(steps, made, strict=True)
        )
        return self._pinned(batches) if self._pin_memory else batches

    def close(self) -> None:
        """End the worker processes; the next epoch would start new ones."""
        if self._processes is not None:
            self._processes.close()

    def _alone(self, epoch: int, step: int) -> ClassBatch:
        return self._maker.batch(epoch, step, self._maker.arrays(epoch, step))

    @staticmethod
    def _pinned(batches: Iterator[ClassBatch]) -> Iterator[ClassBatch]:
        """Copied to page-locked memory on a thread, ahead of the consumer."""
        return Workers(1).run(batch.pin_memory for batch in batches)


class ValBatches:
    """Every image once over all ranks, in an order that mixes the classes and is always the same.

    Rank r takes the r-th of it, the (r + world_size)-th, ...
    """

    def __init__(
        self,
        dataset: LabelledImages,
        size: int,
        crop: float,
        *,
        batch_size: int,
        workers: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self._dataset, self._batch_size = dataset, batch_size
        order = np.random.default_rng(0).permutation(len(dataset))
        self._indices = order[rank::world_size]
        self._transform = validation_transform(size, crop)
        self._workers = Workers(workers)

    def __len__(self) -> int:
        return math.ceil(len(self._indices) / self._batch_size)

    def __iter__(self) -> Iterator[ClassBatch]:
        size = self._batch_size
        return self._workers.run(
            partial(self._batch, self._indices[first : first + size])
            for first in range(0, len(self._indices), size)
        )

    def _batch(self, indices: NDArray[np.int64]) -> ClassBatch:
        chosen = indices.tolist()
        images = [applied(self._transform, self._dataset.read(index)) for index in chosen]
        labels = torch.from_numpy(self._dataset.labels[indices])
        metas = tuple(ImageOrigin(self._dataset.paths[index]) for index in chosen)
        return ClassBatch(torch.stack(images), labels, metas)
