"""What the batches of an epoch are made of, and how their pictures are made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise

import numpy as np
from numpy.random import Generator, Philox
from numpy.typing import NDArray

from yolor_gp.config.train_config import AugmentConfig
from yolor_gp.data.augment.compose import Augmentation
from yolor_gp.data.detection_dataset import DetectionDataset
from yolor_gp.data.labels.instances import Instances
from yolor_gp.data.loading.rare_classes import drawn_order, repeat_factors
from yolor_gp.ops.image_size import ImageSize

COLUMNS = 8
"""Partners come from the same eighth of the global batch, so that each of up to eight ranks or
processes draws them among the images it has itself read a moment ago."""

_ORDER, _SIZE = 2**32 - 1, 2**32 - 2  # "positions" of the draws that concern an epoch or a batch


@dataclass(frozen=True)
class BatchPlan:
    """The batches of one rank: everything follows from the seed.

    mask_stride: pixels a side of a cell of the index maps; None: boxes only.
    """

    dataset: DetectionDataset
    augment: AugmentConfig
    seed: int
    batch_size: int
    rank: int
    world_size: int
    mask_stride: int | None
    stride: int = 32

    @property
    def global_batch(self) -> int:
        """Images in a batch of all ranks."""
        return self.batch_size * self.world_size

    @property
    def largest_size(self) -> ImageSize:
        """No batch has larger images."""
        height, width = (
            side + self.stride + int(side * self.augment.multi_scale)
            for side in self.dataset.image_size
        )
        return ImageSize(height, width)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The images of an epoch, i64[N]; some twice and some not at all with `repeat_rare`."""
        generator = self.generator(epoch, _ORDER)
        if self.augment.repeat_rare:
            return drawn_order(self._repeat_factors, generator)
        return generator.permutation(len(self.dataset))

    @cached_property
    def _repeat_factors(self) -> NDArray[np.float64]:
        return repeat_factors(self.dataset.table, self.augment.repeat_rare)

    def indices(self, order: NDArray[np.int64], step: int) -> list[int]:
        """The images of this rank's batch."""
        first = step * self.global_batch + self.rank * self.batch_size
        return [int(order[p % len(order)]) for p in range(first, first + self.batch_size)]

    def size(self, epoch: int, step: int) -> ImageSize:
        """The size of a batch's images: multiples of `stride` near `image_size`."""
        base = self.dataset.image_size
        if not self.augment.multi_scale:
            return base
        generator = self.generator(epoch, _SIZE, step)
        gain = 1 + generator.uniform(-1, 1) * self.augment.multi_scale
        height, width = (max(round(side * gain / self.stride), 1) * self.stride for side in base)
        return ImageSize(height, width)

    def fill(
        self,
        augmentation: Augmentation,
        order: NDArray[np.int64],
        moment: tuple[int, int, bool],
        rows: range,
        images: Iterable[NDArray[np.uint8]],
    ) -> list[Instances]:
        """Make these rows of a batch in `images`, u8[3, height, width] each; gives their objects.

        moment: epoch, step, and whether mosaics are made.
        """
        epoch, step, mosaic = moment
        first = step * self.global_batch + self.rank * self.batch_size
        instances = []
        for row, out in zip(rows, images, strict=True):
            partners = partial(self.partners, order, first + row)
            generator = self.generator(epoch, first + row)
            index = int(order[(first + row) % len(order)])
            instances.append(augmentation(generator, index, partners, out, mosaic))
        return instances

    def shares(self, count: int) -> list[range]:
        """The rows of a batch for each of at most `count` processes: the same of every batch.

        Whole columns where there are enough, so that a process finds the partners of its mosaics
        among the pictures it read itself.
        """
        count = min(count, self.batch_size)
        width, first = max(1, self.global_batch // COLUMNS), self.rank * self.batch_size
        rows = range(self.batch_size)
        starts = [r for r in rows if r == 0 or (first + r) % width == 0]
        if len(starts) < count:
            starts = list(rows)
        cuts = [starts[k * len(starts) // count] for k in range(count)] + [self.batch_size]
        return [range(a, b) for a, b in pairwise(cuts)]

    def partners(
        self,
        order: NDArray[np.int64],
        position: int,
        index: int,
        generator: Generator,
        count: int,
    ) -> list[int]:
        """Images to show together with `index` at `position`, none twice while there are enough."""
        pool = self._pool(order, position)
        others = pool[pool != index]
        if not len(others):
            return [index] * count
        return [int(i) for i in generator.choice(others, count, replace=len(others) < count)]

    def _pool(self, order: NDArray[np.int64], position: int) -> NDArray[np.int64]:
        """The images partners come from: those shown lately in this column of the batch.

        All of a small data set, which are as quick to get, and where a column would hold too few.
        """
        size = self.augment.mosaic_pool
        if not 0 < COLUMNS * size < len(order):
            return order
        width = max(1, self.global_batch // COLUMNS)
        step, place = divmod(position, self.global_batch)
        column = place // width * width
        width_here = min(width, self.global_batch - column)
        batches = -(-size // width_here)
        first = (step - 1 - np.arange(batches)) * self.global_batch + column
        shown = (first[:, None] + np.arange(width_here)).reshape(-1)[:size]
        return np.unique(order[shown % len(order)])

    def generator(self, epoch: int, position: int, step: int = 0) -> Generator:
        """The source of one sample's random numbers."""
        key = np.array((self.seed % 2**64, (epoch << 32) + position), np.uint64)
        return Generator(Philox(key=key, counter=np.array((0, step, 0, 0), np.uint64)))
