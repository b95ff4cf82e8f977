"""From raw predictions to detections: threshold, decode what is left, suppress overlaps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.ops.anchor_decode import decode_boxes
from yolor_gp.ops.nms import class_aware_nms, score_candidates
from yolor_gp.structures.detections import Detections, PrototypeMasks
from yolor_gp.structures.predictions import LevelPrediction, RawPredictions


@torch.no_grad()
def postprocess(
    raw: RawPredictions,
    config: ValidationConfig,
    *,
    class_agnostic: bool = False,
    classes: Sequence[int] | None = None,
) -> list[Detections]:
    """One `Detections` per image in the network's frame, masks as coefficients and prototypes.

    `classes`: only these labels; `class_agnostic`: boxes of different classes suppress one another.
    Float32 throughout, on the device of `raw`, whatever the network's type.
    """
    count = raw.levels[0].logits.shape[0]
    found = [_confident_rows(level, raw.num_classes, config.confidence) for level in raw.levels]
    image = torch.cat([rows[0] for rows in found])
    boxes = torch.cat([rows[1] for rows in found])
    values = torch.cat([rows[2] for rows in found])
    # Level by level is not image by image; a stable sort keeps the levels' order inside an image.
    image, order = image.sort(stable=True)
    counts: list[int] = torch.bincount(image, minlength=count).tolist()
    finest = raw.levels[0]
    height, width = (cells * finest.stride for cells in finest.logits.shape[2:4])
    detections = []
    for index, rows in enumerate(torch.split(order, counts)):
        prototypes = None if raw.prototypes is None else raw.prototypes[index].float()
        detections.append(
            select_detections(
                boxes[rows],
                values[rows],
                prototypes,
                config,
                image_size=(height, width),
                num_classes=raw.num_classes,
                class_agnostic=class_agnostic,
                classes=classes,
            )
        )
    return detections


def select_detections(
    boxes: Tensor,
    values: Tensor,
    prototypes: Tensor | None,
    config: ValidationConfig,
    *,
    image_size: tuple[int, int],
    num_classes: int,
    class_agnostic: bool = False,
    classes: Sequence[int] | None = None,
) -> Detections:
    """One image's detections from its decoded rows.

    boxes: f32[N, 4] xyxy pixels; values: f32[N, 1 + C + K], objectness and classes in 0..1, then
    the mask coefficients; prototypes: f32[K, h, w] or None; image_size: (height, width).
    """
    row, label, score = score_candidates(
        values[:, 0],
        values[:, 1 : 1 + num_classes],
        config.confidence,
        multi_label=config.multi_label,
    )
    if classes is not None:
        wanted = torch.isin(label, torch.tensor(list(classes), device=label.device))
        row, label, score = row[wanted], label[wanted], score[wanted]
    keep = class_aware_nms(
        boxes[row],
        score,
        label,
        iou_threshold=config.nms_iou,
        max_detections=config.max_detections,
        class_agnostic=class_agnostic,
    )
    row = row[keep]
    masks = None
    if prototypes is not None:
        masks = PrototypeMasks(values[row, 1 + num_classes :], prototypes)
    return Detections(image_size, boxes[row], score[keep], label[keep], masks)


def _confident_rows(
    level: LevelPrediction, num_classes: int, confidence: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The anchors whose objectness exceeds `confidence`; no score of theirs can be higher.

    Returns the image i64[M], box f32[M, 4] xyxy pixels and f32[M, 1 + C + K] of each: objectness
    and class probabilities, mask coefficients.
    """
    confident = level.logits[..., 4].float().sigmoid() > confidence
    image, anchor, row, column = confident.nonzero(as_tuple=True)
    logits = level.logits[image, anchor, row, column].float()
    cells = torch.stack((column, row), dim=1)
    anchors = level.anchors.float()[anchor]
    boxes = decode_boxes(logits[:, :4], cells, anchors, level.stride)
    probabilities = logits[:, 4 : 5 + num_classes].sigmoid()
    return image, boxes, torch.cat((probabilities, logits[:, 5 + num_classes :]), dim=1)
