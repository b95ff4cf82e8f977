"""Overlap of boxes: IoU and the measures that stay informative where boxes do not touch.

GIoU: [GIoU, eq. 1]. DIoU, CIoU: [DIoU, eqs. 7 to 11].
All take xyxy boxes in any unit and compute in float32 or better.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import torch
from torch import Tensor

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


def matrix_iou(first: Tensor, second: Tensor, measure: Measure = "iou") -> Tensor:
    """The measure of every first with every second box: (N, 4), (M, 4) -> (N, M)."""
    return paired_iou(first[:, None], second[None], measure)


def _angle(width: Tensor, height: Tensor) -> Tensor:
    # Without the epsilon the gradient of a box of no size at all would be 0 / 0.
    return torch.atan2(width, height + _EPSILON)


def _full_precision(boxes: Tensor) -> Tensor:
    return boxes if boxes.dtype == torch.float64 else boxes.float()
