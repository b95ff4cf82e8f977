"""A box measure: IoU squared, which asks more of boxes that are nearly right (`loss.box_iou`)."""

from __future__ import annotations

from torch import Tensor

from yolor_gp.losses.box_loss import register_box_iou
from yolor_gp.ops.boxes import paired_iou


@register_box_iou("square_iou")
def square_iou(predicted: Tensor, truth: Tensor) -> Tensor:
    """f32[P, 4], f32[P, 4] xyxy -> f32[P], at most 1."""
    return paired_iou(predicted, truth, "giou") * paired_iou(predicted, truth, "iou")
