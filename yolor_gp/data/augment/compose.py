"""The order in which a training picture is made."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from yolor_gp.config.train_config import AugmentConfig
from yolor_gp.data.augment.affine import (
    draw_affine,
    flip_instances,
    flip_planes,
    is_axis_aligned,
    warp_scene,
)
from yolor_gp.data.augment.hsv import draw_gains, grey_before, recolour
from yolor_gp.data.augment.mixing import copy_paste, mixup
from yolor_gp.data.augment.photometric import Photometric
from yolor_gp.data.augment.placement import Scratch, place_scene
from yolor_gp.data.augment.scene import Picture, Planes, Scene, Tile, mosaic, single
from yolor_gp.data.augment.transforms import Transforms
from yolor_gp.data.detection_dataset import DetectionDataset
from yolor_gp.data.labels.instances import Instances

Partners = Callable[[int, Generator, int], list[int]]
"""(index, generator, count): draws the indices of `count` images to show together with `index`."""


class Augmentation:
    """mosaic or single, affine, copy-paste, mixup, transforms, photometric, HSV, flip.

    The grey around pictures is drawn so that HSV makes it that of validation.

    Every random number comes from the generator handed in.
    """

    def __init__(self, dataset: DetectionDataset, config: AugmentConfig) -> None:
        self._dataset, self._config = dataset, config
        self._scratch = Scratch()
        self._transforms = Transforms(config.transforms) if config.transforms else None
        self._photometric = Photometric(config.albumentations) if config.albumentations else None

    def __call__(
        self,
        generator: Generator,
        index: int,
        partners: Partners,
        out: Planes,
        combine: bool = True,
    ) -> Instances:
        """Write image `index` and what is combined with it to `out`, u8[3, height, width].

        combine: False leaves out mosaic, mixup and copy-paste. Returns the objects, in pixels of
        `out`.
        """
        config = self._config
        height, width = out.shape[1:]
        image = self._scratch.picture(height, width)
        gains = draw_gains(generator, config)
        grey = grey_before(gains)
        instances = self._scene(generator, index, partners, grey, image, combine)
        if combine and config.copy_paste:
            image, instances = copy_paste(generator, image, instances, config.copy_paste)
        if combine and config.mixup and generator.random() < config.mixup:
            image, instances = self._mixup(generator, index, partners, grey, image, instances)
        if self._transforms is not None:
            image, instances = self._transforms(generator, image, instances)
        if self._photometric is not None:
            image = self._photometric(generator, image)
        chances = generator.random(2)
        left_right = bool(chances[0] < config.flip_left_right)
        up_down = bool(chances[1] < config.flip_up_down)
        recolour(image, gains, out)
        flip_planes(out, left_right, up_down)
        return flip_instances(instances, width if left_right else 0, height if up_down else 0)

    def _scene(
        self,
        generator: Generator,
        index: int,
        partners: Partners,
        grey: int,
        out: Picture,
        combine: bool,
    ) -> Instances:
        base = self._dataset.image_size
        if combine and generator.random() < self._config.mosaic:
            indices = partners(index, generator, 3)
            x, y = (int(generator.integers(s // 2, s + s // 2 + 1)) for s in base[::-1])
            indices.insert(int(generator.integers(4)), index)
            scene = mosaic([self._tile(k) for k in indices], base, (x, y))
        else:
            scene = single(self._tile(index), base)
        return self._show(generator, scene, grey, out)

    def _show(self, generator: Generator, scene: Scene, grey: int, out: Picture) -> Instances:
        base = self._dataset.image_size
        across, down = out.shape[1] / base.width, out.shape[0] / base.height
        matrix = draw_affine(generator, self._config, scene.canvas, base)
        if (across, down) != (1, 1):  # multi-scale: the same picture, larger or smaller
            matrix = np.diag((across, down, 1.0)) @ matrix
        if is_axis_aligned(matrix):
            return place_scene(scene, matrix, out, grey)
        return warp_scene(scene, matrix, out, grey)

    def _mixup(
        self,
        generator: Generator,
        index: int,
        partners: Partners,
        grey: int,
        image: Picture,
        instances: Instances,
    ) -> tuple[Picture, Instances]:
        other = np.empty_like(image)
        (partner,) = partners(index, generator, 1)
        others = self._scene(generator, partner, partners, grey, other, combine=True)
        share = generator.beta(self._config.mixup_beta, self._config.mixup_beta)
        return mixup(image, instances, other, others, share)

    def _tile(self, index: int) -> Tile:
        image = self._dataset.read_scaled(index)
        height, width = self._dataset.original_size(index)
        scale = (image.shape[1] / width, image.shape[0] / height)
        return Tile(image, self._dataset.instances(index), scale)
