"""Images with objects, whatever form their labels came in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from yolor_gp.data.labels.annotation_table import AnnotationTable
from yolor_gp.data.labels.instances import Instances
from yolor_gp.data.labels.polygons import paint
from yolor_gp.data.pixels.images import ImageCache, read_image
from yolor_gp.data.pixels.picture_store import PictureStore
from yolor_gp.data.pixels.shared_memory import AVAILABLE
from yolor_gp.data.slices import Cuts
from yolor_gp.errors import UserError
from yolor_gp.ops.image_size import AnySize, ImageSize
from yolor_gp.ops.letterbox import evaluation_letterbox, resize
from yolor_gp.structures.ground_truth import GroundTruth
from yolor_gp.structures.sample import ImageMeta, Polygons, Sample

RECENT_BYTES = 512 * 2**20
"""Without a RAM cache this much of the pictures last read stays in memory, for mosaics."""


class DetectionDataset:
    """One part of a data set.

    image_size: what scaled pictures just fit in; cache "ram" keeps every scaled picture;
    load_truth: gives the COCO dictionary of this part, crowds included; cuts: where images lie that
    are parts of pictures.
    """

    def __init__(
        self,
        name: str,
        table: AnnotationTable,
        fingerprint: str,
        load_truth: Callable[[], dict[str, Any]],
        *,
        image_size: AnySize,
        cache: Literal["none", "ram"] = "none",
        cuts: Cuts | None = None,
    ) -> None:
        if not len(table):
            raise UserError(f"{name}: has no images")
        self.name, self.table, self.fingerprint = name, table, fingerprint
        self.image_size = ImageSize.of(image_size)
        self._load_truth, self._cuts = load_truth, cuts
        if cache == "ram":
            _check_memory(name, table, self.image_size)
        self.store: PictureStore | None = None
        if cache == "ram" and AVAILABLE:
            size, originals = self.image_size, table.sizes.tolist()
            scaled = [evaluation_letterbox((h, w), size).scaled_size for h, w in originals]
            self.store = PictureStore(np.array(scaled, np.int64))
        limit = None if cache == "ram" else RECENT_BYTES
        self._cache: ImageCache | PictureStore = self.store or ImageCache(limit)

    def __getstate__(self) -> dict[str, Any]:
        """What a worker process needs: no pictures, and not the ground truth."""
        left_out = {"_load_truth": dict, "_cache": None, "store": None}
        sizes = None if self.store is None else self.store.sizes
        return {**self.__dict__, **left_out, "_store_sizes": sizes}

    def join_workers(self, processes: int, store: int | None) -> None:
        """In a worker, one of several: share the store of this handle, or part the recent bytes."""
        sizes = self.__dict__.pop("_store_sizes")
        self.store = None if store is None else PictureStore(sizes, store)
        self._cache = self.store or ImageCache(RECENT_BYTES // processes)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names by label."""
        return self.table.names

    @property
    def has_masks(self) -> bool:
        """Whether the objects have outlines."""
        return self.table.has_outlines

    @property
    def has_boxes_only(self) -> bool:
        """Whether there are objects, and none has an outline."""
        return not self.has_masks and len(self.table.labels) > 0

    @property
    def image_ids(self) -> NDArray[np.int64]:
        """i64[N], as in the ground truth."""
        return self.table.image_ids

    def image_path(self, index: int) -> str:
        """Where an image lies."""
        return self.table.path(index)

    def image_name(self, index: int) -> str:
        """The name of its file without suffix, with the place where it is a part of a picture."""
        stem = Path(self.table.path(index)).stem
        return stem if self._cuts is None else self._cuts.name(index, stem)

    def original_size(self, index: int) -> tuple[int, int]:
        """(height, width) of an image before any scaling."""
        return self.table.size(index)

    def meta(self, index: int) -> ImageMeta:
        """Where an image comes from."""
        return ImageMeta(
            int(self.table.image_ids[index]), self.table.path(index), self.table.size(index)
        )

    def instances(self, index: int) -> Instances:
        """The objects of an image in its original pixels."""
        return self.table.instances(index)

    def read_original(self, index: int) -> NDArray[np.uint8]:
        """The picture as it is on disk, u8[H, W, 3] RGB.

        Raises:
            UserError: When it cannot be read, naming the file.
        """
        if self._cuts is not None:
            return self._cuts.read(index, self.table.path(index))
        return read_image(self.table.path(index), self.table.size(index))

    def read_scaled(self, index: int) -> NDArray[np.uint8]:
        """The picture scaled to fit in `image_size`. Don't write to it."""
        image = self._cache.get(index)
        if image is None:
            geometry = evaluation_letterbox(self.table.size(index), self.image_size)
            image = resize(self.read_original(index), geometry.scaled_size)
            self._cache.put(index, image)
        return image

    def load(self, index: int) -> Sample:
        """One image with its objects in original pixels, without augmentation."""
        instances, size = self.instances(index), self.table.size(index)
        masks: list[Polygons | NDArray[np.uint8]] = []
        if instances.has_rings:
            for rings, even_odd in zip(instances.rings(), instances.even_odd, strict=True):
                masks.append(_bitmap(rings, size) if even_odd else tuple(rings))
        return Sample(
            self.read_original(index),
            instances.boxes.copy(),
            instances.labels.copy(),
            tuple(masks),
            self.meta(index),
        )

    def ground_truth(self) -> GroundTruth:
        """What detections are compared with; the dictionary is read when it is asked for."""
        return GroundTruth(self.table.category_ids, self.table.names, self._load_truth)


def _bitmap(rings: list[NDArray[np.float32]], size: tuple[int, int]) -> NDArray[np.uint8]:
    bitmap = np.zeros(size, np.uint8)
    paint(bitmap, rings, 1, even_odd=True)
    return bitmap


def _check_memory(name: str, table: AnnotationTable, image_size: ImageSize) -> None:
    """Refuse a RAM cache that can't fit, before it fills half of the memory.

    Raises:
        UserError: When it needs more than is free.
    """
    needed = int((3 * table.sizes.prod(axis=1) * image_size.fit(table.sizes) ** 2).sum())
    available = _available_memory()
    if available is not None and needed > available:
        raise UserError(
            f"{name}: a RAM cache needs {needed / 2**30:.1f} GiB, but {available / 2**30:.1f} GiB"
            " are free; choose no cache, or a smaller image size"
        )


def _available_memory() -> int | None:
    """Bytes that can be used without swapping, where the system tells (Linux)."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return None
