"""Box formats and overlaps. Elsewhere a box is xyxy: left, top, right, bottom, pixels, float32.

The overlaps take xyxy boxes in any unit and compute in float32 or better: IoU, and the measures
that stay informative where boxes do not touch. GIoU: [GIoU, eq. 1]. DIoU, CIoU: [DIoU, eqs. 7
to 11].
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from yolor_gp.ops.letterbox import Letterbox


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


def boxes_to_letterbox(boxes: Tensor, letterbox: Letterbox) -> Tensor:
    """xyxy boxes of the original image -> of the padded one: (..., 4) -> (..., 4)."""
    scale, offset = _per_corner(boxes, letterbox)
    return boxes * scale + offset


def boxes_to_original(boxes: Tensor, letterbox: Letterbox) -> Tensor:
    """xyxy boxes of the padded image -> of the original one, cut to it: (..., 4) -> (..., 4)."""
    scale, offset = _per_corner(boxes, letterbox)
    height, width = letterbox.original_size
    return clip((boxes - offset) / scale, height, width)


def _per_corner(boxes: Tensor, letterbox: Letterbox) -> tuple[Tensor, Tensor]:
    return boxes.new_tensor(letterbox.scale * 2), boxes.new_tensor(letterbox.offset * 2)


def _join(first: Tensor, second: Tensor) -> Tensor:
    return torch.cat((first, second), dim=-1)


Measure: TypeAlias = Literal["iou", "giou", "diou", "ciou"]

_EPSILON = 1e-7


def paired_iou(first: Tensor, second: Tensor, measure: Measure = "iou") -> Tensor:
    """The measure of first[i] with second[i]: (..., 4), (..., 4) -> (...), broadcasting.

    "iou" is in 0..1, the others in -1..1. Differentiable; in "ciou" the trade-off factor alpha is
    a constant, as in the paper.
    """
    first, second = _full_precision(first), _full_precision(second)
    first_x1, first_y1, first_x2, first_y2 = first.unbind(-1)
    second_x1, second_y1, second_x2, second_y2 = second.unbind(-1)
    first_width, first_height = first_x2 - first_x1, first_y2 - first_y1
    second_width, second_height = second_x2 - second_x1, second_y2 - second_y1

    overlap_width = (torch.minimum(first_x2, second_x2) - torch.maximum(first_x1, second_x1)).clamp(
        min=0
    )
    overlap_height = (
        torch.minimum(first_y2, second_y2) - torch.maximum(first_y1, second_y1)
    ).clamp(min=0)
    overlap = overlap_width * overlap_height
    union = first_width * first_height + second_width * second_height - overlap + _EPSILON
    iou = overlap / union
    if measure == "iou":
        return iou

    hull_width = torch.maximum(first_x2, second_x2) - torch.minimum(first_x1, second_x1)
    hull_height = torch.maximum(first_y2, second_y2) - torch.minimum(first_y1, second_y1)
    if measure == "giou":
        hull = hull_width * hull_height + _EPSILON
        return iou - (hull - union) / hull

    diagonal = hull_width**2 + hull_height**2 + _EPSILON
    distance = (
        (second_x1 + second_x2 - first_x1 - first_x2) ** 2
        + (second_y1 + second_y2 - first_y1 - first_y2) ** 2
    ) / 4
    diou = iou - distance / diagonal
    if measure == "diou":
        return diou

    angle = _angle(second_width, second_height) - _angle(first_width, first_height)
    aspect = 4 / math.pi**2 * angle**2
    with torch.no_grad():
        alpha = aspect / (1 - iou + aspect + _EPSILON)
    return diou - alpha * aspect


def _angle(width: Tensor, height: Tensor) -> Tensor:
    # Without the epsilon the gradient of a box of no size at all would be 0 / 0.
    return torch.atan2(width, height + _EPSILON)


def _full_precision(boxes: Tensor) -> Tensor:
    return boxes if boxes.dtype == torch.float64 else boxes.float()
