"""Large pictures cut into overlapping windows, each an image of its own, labels with them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolor_gp.config.data_config import SliceConfig
from yolor_gp.data.labels.annotation_table import AnnotationTable, TableBuilder
from yolor_gp.data.labels.instances import Instances, clip_instances
from yolor_gp.data.pixels.images import ImageCache, read_image
from yolor_gp.ops.windows import Window, windows

LEAST_SEEN = 0.1
"""A cut object stays where so much of it is seen, or where it covers so much of the window."""

_KEPT_BYTES = 128 * 2**20
"""Whole pictures that stay in memory: neighbouring windows are often read one after another."""


@dataclass(frozen=True)
class Cuts:
    """Where the N images of a table lie in their pictures.

    windows: i32[N, 4] of left, top, right, bottom; pictures: i64[N], the number of the picture;
    sizes: i32[N, 2], its height and width.
    """

    windows: NDArray[np.int32]
    pictures: NDArray[np.int64]
    sizes: NDArray[np.int32]

    def __getstate__(self) -> dict[str, Any]:
        """Without the pictures in memory."""
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}

    @cached_property
    def _kept(self) -> ImageCache:
        return ImageCache(_KEPT_BYTES)

    def read(self, index: int, path: str) -> NDArray[np.uint8]:
        """An image as it is in the picture at `path`: u8[H, W, 3] RGB.

        Raises:
            UserError: When the picture cannot be read.
        """
        number = int(self.pictures[index])
        picture = self._kept.get(number)
        if picture is None:
            height, width = self.sizes[index].tolist()
            picture = read_image(path, (height, width))
            self._kept.put(number, picture)
        left, top, right, bottom = self.windows[index].tolist()
        return picture[top:bottom, left:right].copy()

    def name(self, index: int, stem: str) -> str:
        """Another one for each image of a picture called `stem`."""
        left, top, right, bottom = self.windows[index].tolist()
        height, width = self.sizes[index].tolist()
        is_whole = (left, top, right, bottom) == (0, 0, width, height)
        return stem if is_whole else f"{stem}-{left}-{top}"


@dataclass(frozen=True)
class _Image:
    """A window of picture `number` with the objects in it."""

    number: int
    window: Window
    objects: Instances
    is_whole: bool


def cut(table: AnnotationTable, config: SliceConfig, *, thin: bool) -> tuple[AnnotationTable, Cuts]:
    """The windows of all pictures, in order, as images numbered from 1, and where they lie.

    thin: leave out as many of those without objects as `config.empty` says, always the same.
    """
    images = [image for number in range(len(table)) for image in _of(table, number, config)]
    if thin:
        images = _thinned(images, config.empty)
    builder = TableBuilder(table.names, table.category_ids)
    for index, image in enumerate(images):
        left, top, right, bottom = image.window
        _add(builder, image.objects)
        builder.end_image(index + 1, (bottom - top, right - left), table.path(image.number))
    numbers = np.array([image.number for image in images], np.int64)
    rectangles = np.array([image.window for image in images], np.int32)
    return builder.build(), Cuts(rectangles, numbers, table.sizes[numbers])


def sliced(
    table: AnnotationTable, fingerprint: str, config: SliceConfig, *, thin: bool
) -> tuple[AnnotationTable, str, Cuts]:
    """As `cut`, with the fingerprint of what was cut this way."""
    text = f"{fingerprint}\n{config!r} {thin} {LEAST_SEEN}"
    digest = hashlib.sha256(text.encode()).hexdigest()[: len(fingerprint)]
    found, cuts = cut(table, config, thin=thin)
    return found, digest, cuts


def _of(table: AnnotationTable, number: int, config: SliceConfig) -> list[_Image]:
    height, width = table.size(number)
    instances = table.instances(number)
    parts = windows((height, width), (config.size, config.size), config.overlap)
    whole = _Image(number, (0, 0, width, height), instances, is_whole=True)
    images = [_Image(number, part, seen_in(instances, part), is_whole=False) for part in parts]
    return [whole, *images] if config.whole or not parts else images


def seen_in(instances: Instances, window: Window) -> Instances:
    """Objects cut to a window, in its pixels; see `LEAST_SEEN`."""
    left, top, right, bottom = window
    areas = instances.areas()
    numbered = replace(instances, labels=np.arange(len(instances)))
    part = clip_instances(numbered, window, least=0.0)
    least = np.minimum(areas[part.labels], (right - left) * (bottom - top)) * LEAST_SEEN
    kept = part.select(part.areas() >= least)
    labelled = replace(kept, labels=instances.labels[kept.labels])
    return labelled.transform((1.0, 1.0), (-float(left), -float(top)))


def _thinned(images: list[_Image], share: float) -> list[_Image]:
    empty = [k for k, image in enumerate(images) if not (image.is_whole or len(image.objects))]
    order = np.random.default_rng(0).permutation(len(empty))
    left_out = {empty[k] for k in order[round(len(empty) * share) :].tolist()}
    return [image for k, image in enumerate(images) if k not in left_out]


def _add(builder: TableBuilder, objects: Instances) -> None:
    rings = objects.rings() if objects.has_rings else [[]] * len(objects)
    for label, box, outline, even_odd in zip(
        objects.labels.tolist(), objects.boxes.tolist(), rings, objects.even_odd.tolist(),
        strict=True,
    ):  # fmt: skip
        builder.add_object(label, tuple(box), [r.ravel().tolist() for r in outline], even_odd)
