"""How far the positives' boxes are from their objects: 1 - CIoU."""

from __future__ import annotations

from torch import Tensor

from yolor_gp.losses.assigner import Assignment
from yolor_gp.ops.anchor_decode import decode_boxes
from yolor_gp.ops.iou import paired_iou
from yolor_gp.structures.batch import Targets
from yolor_gp.structures.predictions import LevelPrediction


def box_overlaps(
    level: LevelPrediction, logits: Tensor, positives: Assignment, targets: Targets
) -> Tensor:
    """CIoU of every positive with its object: f32[P], in -1..1, differentiable.

    logits: f32[P, >= 4], the positives' rows of `level.logits`. In grid units, as the reference: in
    pixels the measure's small constants would weigh less.
    """
    cells = logits.new_empty((len(positives), 2))
    cells[:, 0], cells[:, 1] = positives.column, positives.row
    anchors = level.anchors.float()[positives.anchor] / level.stride
    predicted = decode_boxes(logits[:, :4], cells, anchors, 1)
    return paired_iou(predicted, targets.boxes[positives.target] / level.stride, "ciou")
