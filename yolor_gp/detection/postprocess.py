"""From a head's candidates to detections: scores, and suppression of overlaps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.ops.nms import class_aware_nms, score_candidates
from yolor_gp.structures.candidates import Candidates
from yolor_gp.structures.detections import Detections, PrototypeMasks


@torch.no_grad()
def postprocess(
    candidates: Candidates,
    config: ValidationConfig,
    *,
    class_agnostic: bool = False,
    classes: Sequence[int] | None = None,
    least: Sequence[float] | None = None,
) -> list[Detections]:
    """One `Detections` per image in the network's frame, masks as coefficients and prototypes.

    `classes`: only these labels; `least`: by label the score above which it counts;
    `class_agnostic`: boxes of different classes suppress one another.
    """
    # Level by level is not image by image; a stable sort keeps the levels' order inside an image.
    image, order = candidates.image.sort(stable=True)
    counts: list[int] = torch.bincount(image, minlength=candidates.images).tolist()
    detections = []
    for index, rows in enumerate(torch.split(order, counts)):
        prototypes = candidates.prototypes
        detections.append(
            select_detections(
                candidates.boxes[rows],
                candidates.values[rows],
                None if prototypes is None else prototypes[index].float(),
                config,
                image_size=candidates.image_size,
                num_classes=candidates.num_classes,
                class_agnostic=class_agnostic,
                classes=classes,
                least=least,
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
    least: Sequence[float] | None = None,
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
    if least is not None:
        enough = score > torch.tensor(list(least), device=score.device)[label]
        row, label, score = row[enough], label[enough], score[enough]
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
