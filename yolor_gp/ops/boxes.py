"""Box formats. Everywhere else a box is xyxy: left, top, right, bottom in pixels, float32."""

from __future__ import annotations

import torch
from torch import Tensor


def xyxy_to_cxcywh(boxes: Tensor) -> Tensor:
    """Corners to centre and size: (..., 4) -> (..., 4), same units."""
    top_left, bottom_right = boxes[..., :2], boxes[..., 2:4]
    return _join((top_left + bottom_right) / 2, bottom_right - top_left)


def cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """Centre and size to corners: (..., 4) -> (..., 4), same units."""
    centre, half = boxes[..., :2], boxes[..., 2:4] / 2
    return _join(centre - half, centre + half)


def xyxy_to_xywh(boxes: Tensor) -> Tensor:
    """Corners to the COCO format (left, top, width, height): (..., 4) -> (..., 4)."""
    return _join(boxes[..., :2], boxes[..., 2:4] - boxes[..., :2])


def xywh_to_xyxy(boxes: Tensor) -> Tensor:
    """The COCO format (left, top, width, height) to corners: (..., 4) -> (..., 4)."""
    return _join(boxes[..., :2], boxes[..., :2] + boxes[..., 2:4])


def clip(boxes: Tensor, height: float, width: float) -> Tensor:
    """Boxes cut to an image of `height` x `width` pixels: (..., 4) -> (..., 4)."""
    x = boxes[..., 0::2].clamp(0, width)
    y = boxes[..., 1::2].clamp(0, height)
    return torch.stack((x[..., 0], y[..., 0], x[..., 1], y[..., 1]), dim=-1)


def area(boxes: Tensor) -> Tensor:
    """Areas of xyxy boxes, 0 for inverted ones: (..., 4) -> (...)."""
    size = (boxes[..., 2:4] - boxes[..., :2]).clamp(min=0)
    return size[..., 0] * size[..., 1]


def _join(first: Tensor, second: Tensor) -> Tensor:
    return torch.cat((first, second), dim=-1)
