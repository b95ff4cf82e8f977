"""Batches in an order and with pixels that depend on the seed alone.

Every random number of a picture comes from a generator keyed by (seed, epoch, position in the
epoch). So neither the number of workers nor that of ranks changes anything, and training resumed
at any step sees exactly what it would have seen. Workers are threads: OpenCV and NumPy release
the interpreter while they work, pictures in memory are shared without copies, and there is no
process to start, to feed, or to outlive its parent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
from numpy.random import Generator, Philox
from numpy.typing import NDArray

from yolor_gp.config.train_config import AugmentConfig
from yolor_gp.data.augment.compose import Augmentation
from yolor_gp.data.batch_memory import BatchMemory
from yolor_gp.data.collate import collate
from yolor_gp.data.detection_dataset import DetectionDataset
from yolor_gp.data.workers import Workers
from yolor_gp.errors import UserError
from yolor_gp.ops.letterbox import evaluation_letterbox, pad
from yolor_gp.structures.batch import Batch

PARTNERS = 64
"""From how many recently shown images the partners of a mosaic are drawn."""

COLUMNS = 8
"""Partners come from the same eighth of the global batch, so that each of up to eight ranks
draws them among the images it has itself read a moment ago."""

_ORDER, _SIZE = 2**32 - 1, 2**32 - 2  # "positions" of the draws that concern an epoch or a batch


def train_loader(
    dataset: DetectionDataset,
    *,
    image_size: int,
    batch_size: int,
    augment: AugmentConfig,
    seed: int,
    workers: int,
    rank: int = 0,
    world_size: int = 1,
    with_masks: bool = True,
    pin_memory: bool = False,
) -> TrainLoader:
    """Augmented training batches; `batch_size` is that of one process.

    Raises `UserError` when masks are asked for and the data set has boxes only.
    """
    if with_masks and not dataset.has_masks and len(dataset.table.labels):
        raise UserError(
            f"{dataset.name}: has boxes only, but the network also learns masks; label outlines,"
            " or choose a model without a mask head"
        )
    if image_size != dataset.image_size:
        raise ValueError(f"data set opened for {dataset.image_size} px, loader for {image_size} px")
    return TrainLoader(
        dataset, batch_size, augment, seed, workers, rank, world_size, with_masks, pin_memory
    )


class TrainLoader:
    """See `train_loader`. `epoch` gives the batches of one epoch; `len` says how many."""

    def __init__(
        self,
        dataset: DetectionDataset,
        batch_size: int,
        augment: AugmentConfig,
        seed: int,
        workers: int,
        rank: int,
        world_size: int,
        with_masks: bool,
        pin_memory: bool,
    ) -> None:
        if not 0 <= rank < world_size or batch_size < 1:
            raise ValueError(f"rank {rank} of {world_size}, batch size {batch_size}")
        self._dataset, self._config = dataset, augment
        self._augmentation = Augmentation(dataset, augment)
        self._batch_size, self._global_batch = batch_size, batch_size * world_size
        self._rank, self._seed = rank, seed
        self._with_masks, self._pin_memory = with_masks, pin_memory
        self._workers = Workers(workers)
        self._memory = BatchMemory(pin_memory)

    def __len__(self) -> int:
        return math.ceil(len(self._dataset) / self._global_batch)

    def epoch(self, epoch: int, start_step: int = 0, mosaic: bool = True) -> Iterator[Batch]:
        """The batches of an epoch from `start_step` on.

        mosaic: False leaves out mosaic, mixup and copy-paste. The last batch is filled up with
        images from the beginning of the epoch's order. Raises `UserError` naming an image that
        can't be read.
        """
        order = self.order(epoch)
        return self._workers.run(
            partial(self._batch, order, epoch, step, mosaic)
            for step in range(start_step, len(self))
        )

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The images of an epoch, i64[N]."""
        return self._generator(epoch, _ORDER).permutation(len(self._dataset))

    def _batch(self, order: NDArray[np.int64], epoch: int, step: int, mosaic: bool) -> Batch:
        side = self._side(epoch, step)
        first = step * self._global_batch + self._rank * self._batch_size
        positions = range(first, first + self._batch_size)
        images = self._memory.images(self._batch_size, side)
        instances, metas = [], []
        for position, out in zip(positions, images.numpy(), strict=True):
            index = int(order[position % len(order)])

            def partners(generator: Generator, count: int, position: int = position) -> list[int]:
                return self._partners(order, position, generator, count)

            generator = self._generator(epoch, position)
            instances.append(self._augmentation(generator, index, partners, out, mosaic))
            metas.append(self._dataset.meta(index))
        batch = collate(images, instances, metas, self._with_masks)
        return batch.pin_memory() if self._pin_memory else batch

    def _partners(
        self, order: NDArray[np.int64], position: int, generator: Generator, count: int
    ) -> list[int]:
        """Images shown in the batches before, in this position's column of the batch."""
        width = max(1, self._global_batch // COLUMNS)
        step, place = divmod(position, self._global_batch)
        column = place // width * width
        width_here = min(width, self._global_batch - column)
        drawn = []
        for number in generator.integers(0, PARTNERS, count).tolist():
            back, across = divmod(number, width)
            first = (step - 1 - back) * self._global_batch + column
            drawn.append(int(order[(first + across % width_here) % len(order)]))
        return drawn

    def _side(self, epoch: int, step: int) -> int:
        """The size of a batch's images: a multiple of 32 near `image_size`."""
        base = self._dataset.image_size
        if not self._config.multi_scale:
            return base
        generator = self._generator(epoch, _SIZE, step)
        gain = 1 + generator.uniform(-1, 1) * self._config.multi_scale
        return max(round(base * gain / 32), 1) * 32

    def _generator(self, epoch: int, position: int, step: int = 0) -> Generator:
        key = np.array((self._seed % 2**64, (epoch << 32) + position), np.uint64)
        return Generator(Philox(key=key, counter=np.array((0, step, 0, 0), np.uint64)))


def val_loader(
    dataset: DetectionDataset,
    *,
    image_size: int,
    batch_size: int,
    workers: int,
    rank: int = 0,
    world_size: int = 1,
    pin_memory: bool = False,
) -> ValLoader:
    """Letterboxed batches of every image once over all ranks, in order; can be read again.

    Rank r takes the images r, r + world_size, ...; a share may be one shorter than others, or
    empty. Targets hold the objects as training would see them (crowds left out).
    """
    if image_size != dataset.image_size:
        raise ValueError(f"data set opened for {dataset.image_size} px, loader for {image_size} px")
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
        side = self._dataset.image_size
        images = self._memory.images(len(indices), side)
        instances, metas = [], []
        for index, out in zip(indices, images.numpy(), strict=True):
            letterbox = evaluation_letterbox(self._dataset.original_size(index), side)
            padded = pad(self._dataset.read_scaled(index), letterbox)
            cv2.split(padded, list(out))
            metas.append(replace(self._dataset.meta(index), letterbox=letterbox))
            scaled = self._dataset.instances(index).transform(letterbox.scale, letterbox.offset)
            instances.append(scaled)
        return collate(images, instances, metas, self._dataset.has_masks)
