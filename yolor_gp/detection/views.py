"""What the network is shown of a picture: the whole, parts of it, mirrored, at several sizes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from yolor_gp.errors import UserError
from yolor_gp.ops.boxes import boxes_to_original
from yolor_gp.ops.image_size import ImageSize
from yolor_gp.ops.letterbox import Letterbox, evaluation_letterbox, place
from yolor_gp.ops.windows import Window, windows
from yolor_gp.structures.detections import BoxMasks, Detections

AUGMENTED = ((1.0, False), (0.8, True), (1.4, True))
"""What test-time augmentation looks at: the input's side as a share of the usual, and whether left
and right are exchanged."""

_INNER_EDGE = 0.01
"""A box that comes as near to the edge of a part as this share of its side is taken to be cut."""


@dataclass(frozen=True)
class View:
    """A part of a picture as the network sees it.

    picture_size: (height, width); window: the part; letterbox: of the part; mirrored: with left and
    right of the part exchanged.
    """

    picture_size: tuple[int, int]
    window: Window
    letterbox: Letterbox
    mirrored: bool = False

    def image(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """u8[H, W, 3] of the picture -> u8[h, w, 3], what the network is given."""
        left, top, right, bottom = self.window
        part = picture[top:bottom, left:right]
        return place(part[:, ::-1] if self.mirrored else part, self.letterbox)

    def boxes(self, found: Detections) -> Tensor:
        """The boxes of detections in the letterbox's frame, in pixels of the picture: f32[N, 4]."""
        boxes = boxes_to_original(found.boxes.cpu().double(), self.letterbox)
        left, top, right, _ = self.window
        if self.mirrored:
            x1, y1, x2, y2 = boxes.unbind(1)
            boxes = torch.stack((right - left - x2, y1, right - left - x1, y2), dim=1)
        return (boxes + boxes.new_tensor((left, top, left, top))).float()

    def detections(self, found: Detections, mask_threshold: float = 0.5) -> Detections:
        """Detections in the letterbox's frame, in pixels of the picture, as `to_original`."""
        part = found.to_original(self.letterbox, mask_threshold)
        masks = part.masks
        if isinstance(masks, BoxMasks):
            masks = masks.mirrored() if self.mirrored else masks
            if not self.is_whole:
                masks = masks.placed(self.picture_size, *self.window[:2])
        boxes = self.boxes(found)
        return Detections(self.picture_size, boxes, part.scores, part.labels, masks)

    def is_cut(self, boxes: Tensor) -> Tensor:
        """Which boxes (f32[N, 4], pixels of the picture) end where the view does, and the picture
        goes on: bool[N]."""
        height, width = self.picture_size
        left, top, right, bottom = self.window
        near_x, near_y = _INNER_EDGE * (right - left), _INNER_EDGE * (bottom - top)
        x1, y1, x2, y2 = boxes.unbind(1)
        cut = torch.zeros(len(boxes), dtype=torch.bool)
        if left > 0:
            cut |= x1 < left + near_x
        if top > 0:
            cut |= y1 < top + near_y
        if right < width:
            cut |= x2 > right - near_x
        if bottom < height:
            cut |= y2 > bottom - near_y
        return cut

    @cached_property
    def is_whole(self) -> bool:
        """Whether it shows the whole picture."""
        height, width = self.picture_size
        return self.window == (0, 0, width, height)


class ViewFlags(TypedDict, total=False):
    """What `Views` takes."""

    slice: int | None
    overlap: float
    augment: bool


@dataclass(frozen=True)
class Views:
    """How pictures are looked at; as they are, unless something is said.

    Attributes:
        slice: Width in pixels of the windows that are looked at beside the whole, which have the
            shape of the network's input; None for the whole alone.
        overlap: Of neighbouring windows, as a share of their side; at least so much.
        augment: Mirrored and at other sizes, too.

    Raises:
        UserError: For windows that cannot be meant.
    """

    slice: int | None = None
    overlap: float = 0.2
    augment: bool = False

    def __post_init__(self) -> None:
        if self.slice is not None and self.slice < 32:
            raise UserError(f"--slice {self.slice}: expected at least 32 pixels")
        if not 0 < self.overlap <= 0.9:
            raise UserError(
                f"--overlap {self.overlap:g}: expected a share of the windows' side above 0 and up"
                " to 0.9; objects cut by one window's edge are found again by it"
            )

    @property
    def is_plain(self) -> bool:
        """Whether each picture is seen once, as it is."""
        return self.slice is None and not self.augment

    def of(
        self,
        picture_size: tuple[int, int],
        image_size: ImageSize,
        stride: int,
        *,
        rectangular: bool = False,
    ) -> list[View]:
        """The views of a picture of (height, width), the plain one first.

        image_size: of the network's input; stride: sides of inputs are multiples of it;
        rectangular: see `Predictor`.
        """
        views = []
        for window in self.windows(picture_size, image_size):
            left, top, right, bottom = window
            for share, mirrored in AUGMENTED if self.augment else AUGMENTED[:1]:
                size = [max(round(side * share / stride), 1) * stride for side in image_size]
                padded = stride if rectangular else None
                part = bottom - top, right - left
                letterbox = evaluation_letterbox(part, (size[0], size[1]), padded)
                views.append(View(picture_size, window, letterbox, mirrored))
        return views

    def windows(self, picture_size: tuple[int, int], image_size: ImageSize) -> list[Window]:
        """The whole picture, then the windows, evenly spread; none where it fits into one."""
        height, width = picture_size
        whole = [(0, 0, width, height)]
        if self.slice is None:
            return whole
        down = max(round(self.slice * image_size.height / image_size.width), 1)
        return whole + windows(picture_size, (down, self.slice), self.overlap)


PLAIN = Views()
