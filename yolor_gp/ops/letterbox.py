"""Fit an image of any size into the network's input: resize, then pad in the centre."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

PADDING_GREY = 114
"""YOLOv5's padding colour."""


@dataclass(frozen=True)
class Letterbox:
    """The geometry of one letterboxed image; all sizes are (height, width) in pixels.

    original_size: before resizing; scaled_size: after resizing; output_size: after padding;
    top, left: where the resized image begins in the padded one.
    """

    original_size: tuple[int, int]
    scaled_size: tuple[int, int]
    output_size: tuple[int, int]
    top: int
    left: int

    def __post_init__(self) -> None:
        fits = (
            self.top + self.scaled_size[0] <= self.output_size[0]
            and self.left + self.scaled_size[1] <= self.output_size[1]
        )
        if not fits or min(*self.original_size, *self.scaled_size) < 1 or min(self.offset) < 0:
            raise ValueError(f"impossible letterbox geometry: {self}")

    @property
    def offset(self) -> tuple[int, int]:
        """(left, top) in pixels of the padded image."""
        return self.left, self.top

    @property
    def scale(self) -> tuple[float, float]:
        """(x, y) factors from original to resized pixels."""
        return (
            self.scaled_size[1] / self.original_size[1],
            self.scaled_size[0] / self.original_size[0],
        )


def letterbox_geometry(
    original_size: tuple[int, int],
    target: int | tuple[int, int],
    *,
    stride: int = 32,
    rectangular: bool = False,
    scale_up: bool = True,
    round_up: bool = False,
) -> Letterbox:
    """Where an image of `original_size` (h, w) goes in an input of `target` (h, w) or side.

    Keeps the aspect ratio up to rounding to whole pixels (to the nearest, or up: `round_up`).
    rectangular: pad only to the next multiple of `stride` instead of to the whole target;
    scale_up: False leaves images smaller than the target as they are. Of an odd padding, the
    greater half goes below and to the right.

    Raises:
        ValueError: When a side is below one pixel.
    """
    height, width = original_size
    target_height, target_width = (target, target) if isinstance(target, int) else target
    if min(height, width, target_height, target_width) < 1:
        raise ValueError(f"letterbox: sizes must be positive, got {original_size} into {target}")
    factor = min(target_height / height, target_width / width)
    if not scale_up:
        factor = min(factor, 1.0)
    whole = math.ceil if round_up else round
    # The tolerance keeps 426 * (640 / 426) = 640.0000000000001 from being rounded up to 641.
    slack = 1e-6 if round_up else 0.0
    scaled_height = min(max(whole(height * factor - slack), 1), target_height)
    scaled_width = min(max(whole(width * factor - slack), 1), target_width)
    pad_height, pad_width = target_height - scaled_height, target_width - scaled_width
    if rectangular:
        pad_height, pad_width = pad_height % stride, pad_width % stride
    return Letterbox(
        original_size=(height, width),
        scaled_size=(scaled_height, scaled_width),
        output_size=(scaled_height + pad_height, scaled_width + pad_width),
        top=pad_height // 2,
        left=pad_width // 2,
    )


def evaluation_letterbox(
    original_size: tuple[int, int], image_size: int | tuple[int, int], stride: int | None = None
) -> Letterbox:
    """The protocol behind the published figures: scaled to fit, the shorter side rounded up.

    The result has `image_size`, a side or (height, width); validation, detection and training
    pictures all use it. Given a `stride`, sides are padded to its next multiple only.
    """
    rectangular = stride is not None
    return letterbox_geometry(
        original_size, image_size, stride=stride or 1, rectangular=rectangular, round_up=True
    )


def resize(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """u8[H, W, 3] -> u8[h, w, 3]; bilinear, averaging areas when shrunk to less than half."""
    height, width = size
    if image.shape[:2] == size:
        return image
    shrinks_far = 2 * height < image.shape[0] and 2 * width < image.shape[1]
    method = cv2.INTER_AREA if shrinks_far else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=method)  # type: ignore[return-value]


def place(
    image: NDArray[np.uint8], letterbox: Letterbox, fill: int = PADDING_GREY
) -> NDArray[np.uint8]:
    """u8[H, W, 3] of the original size -> u8[h, w, 3] of the output size.

    Raises:
        ValueError: When the image has another size than the letterbox was made for.
    """
    if image.shape[:2] != letterbox.original_size:
        raise ValueError(
            f"place: expected an image of {letterbox.original_size}, got {image.shape[:2]}"
        )
    return pad(resize(image, letterbox.scaled_size), letterbox, fill)


def pad(
    scaled: NDArray[np.uint8], letterbox: Letterbox, fill: int = PADDING_GREY
) -> NDArray[np.uint8]:
    """The second half of `place`: u8[h, w, 3] of the scaled size -> of the output size."""
    padded = np.full((*letterbox.output_size, 3), fill, np.uint8)
    height, width = letterbox.scaled_size
    top, left = letterbox.top, letterbox.left
    padded[top : top + height, left : left + width] = scaled
    return padded
