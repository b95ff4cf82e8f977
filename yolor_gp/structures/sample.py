"""One image with its objects, on its way through augmentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from yolor_gp.ops.letterbox import Letterbox

Polygons: TypeAlias = tuple[NDArray[np.float32], ...]
"""The rings of one object, each f32[K, 2] of x, y in pixels."""

MASK_STRIDE = 4
"""Prototypes have a quarter of the input's height and width, unless a model says otherwise; so have
index maps, unless the loss looks closer."""


@dataclass(frozen=True)
class ImageMeta:
    """Where an image comes from. `letterbox` is None for augmented (mosaic) images."""

    image_id: int
    path: str
    original_size: tuple[int, int]
    letterbox: Letterbox | None = None


@dataclass(frozen=True)
class Sample:
    """image: u8[H, W, 3] RGB; boxes: f32[M, 4] xyxy pixels; labels: i64[M].

    masks: one entry per object: its polygons, or its u8[H, W] bitmap where polygons cannot say it
    (RLE with holes).
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    masks: tuple[Polygons | NDArray[np.uint8], ...]
    meta: ImageMeta

    def __post_init__(self) -> None:
        count = len(self.labels)
        found: dict[str, Any] = {"boxes": self.boxes.shape, "masks": len(self.masks)}
        if self.boxes.shape != (count, 4) or len(self.masks) not in (0, count):
            raise ValueError(f"Sample: expected {count} boxes (xyxy) and masks, got {found}")
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            raise ValueError(
                f"Sample: expected image u8[H, W, 3], got {self.image.dtype}{self.image.shape}"
            )
