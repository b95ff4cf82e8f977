"""How far the positives' boxes are from their objects: 1 - CIoU, or another measure of overlap.

The measures are `ops.boxes.paired_iou`'s. torchvision's losses give the same numbers (a test
compares them), but NaN for a box of no size, take half as long again (CIoU with its gradient, 1000
positives on one core: 1.02 ms, here 0.69), and index by a boolean mask, for which a GPU makes its
host wait.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from yolor_gp.config.registry import Registry
from yolor_gp.losses.assigner import Assignment
from yolor_gp.ops.anchor_decode import decode_boxes
from yolor_gp.ops.boxes import paired_iou
from yolor_gp.structures.batch import Targets
from yolor_gp.structures.predictions import LevelPrediction

BoxIou = Callable[[Tensor, Tensor], Tensor]
"""predicted f32[P, 4], truth f32[P, 4], xyxy in any unit -> f32[P], 1 where they are equal;
differentiable."""

_measures: Registry[BoxIou] = Registry(
    "measure",
    {
        "iou": partial(paired_iou, measure="iou"),
        "giou": partial(paired_iou, measure="giou"),
        "diou": partial(paired_iou, measure="diou"),
        "ciou": partial(paired_iou, measure="ciou"),
    },
)


def register_box_iou(name: str) -> Callable[[BoxIou], BoxIou]:
    """Enter a measure that recipes may name in `loss.box_iou`.

    Raises:
        ValueError: When the name is taken.
    """
    return _measures.register(name)


def find_box_iou(name: str) -> BoxIou:
    """The measure of that name.

    Raises:
        UserError: When there is none, naming those there are.
    """
    return _measures.find(name, "loss.box_iou")


def box_overlaps(
    level: LevelPrediction,
    logits: Tensor,
    positives: Assignment,
    targets: Targets,
    measure: BoxIou,
) -> Tensor:
    """The measure of every positive with its object: f32[P], at most 1, differentiable.

    logits: f32[P, >= 4], the positives' rows of `level.logits`. In grid units, as the reference: in
    pixels the measure's small constants would weigh less.
    """
    cells = logits.new_empty((len(positives), 2))
    cells[:, 0], cells[:, 1] = positives.column, positives.row
    anchors = level.anchors.float()[positives.anchor] / level.stride
    predicted = decode_boxes(logits[:, :4], cells, anchors, 1, level.coding)
    return measure(predicted, targets.boxes[positives.target] / level.stride)
