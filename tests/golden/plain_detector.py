"""The detector's arithmetic written once more, as plainly as it can be: loops, float64, no speed.

Nothing of the package is used. What the package computes is held to the numbers that this file
gave (`numbers.npz`, see `make_golden.py`), and this file to those of public ones, where they
lie beside the repository (`tests/test_golden.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Gains:
    """Factors of the loss, already scaled to classes, levels and image size."""

    box: float
    objectness: float
    classification: float
    anchor_threshold: float = 4.0
    label_smoothing: float = 0.0
    focal_gamma: float = 0.0
    focal_alpha: float = 0.25
    balance: tuple[float, ...] = (4.0, 1.0, 0.4)


def overlap(first: Tensor, second: Tensor, measure: str) -> Tensor:
    """IoU, GIoU (1902.09630), DIoU or CIoU (1911.08287) of two xyxy boxes."""
    width, height = (
        (torch.minimum(first[end], second[end]) - torch.maximum(first[start], second[start])).clamp(
            min=0
        )
        for start, end in ((0, 2), (1, 3))
    )
    sizes = [(box[2] - box[0], box[3] - box[1]) for box in (first, second)]
    union = sizes[0][0] * sizes[0][1] + sizes[1][0] * sizes[1][1] - width * height
    iou = width * height / union
    hull = [
        torch.maximum(first[end], second[end]) - torch.minimum(first[start], second[start])
        for start, end in ((0, 2), (1, 3))
    ]
    if measure == "iou":
        return iou
    if measure == "giou":
        area = hull[0] * hull[1]
        return iou - (area - union) / area
    between = sum(((second[i] + second[i + 2] - first[i] - first[i + 2]) / 2) ** 2 for i in (0, 1))
    diou = iou - between / (hull[0] ** 2 + hull[1] ** 2)
    if measure == "diou":
        return diou
    angles = [torch.atan(width / height) for width, height in sizes]
    aspect = 4 / math.pi**2 * (angles[1] - angles[0]) ** 2
    factor = (aspect / (1 - iou + aspect + 1e-7)).detach()  # a constant, as the paper has it
    return diou - factor * aspect


def decoded(row: Tensor, column: int, line: int, anchor: Tensor, stride: float) -> Tensor:
    """xyxy of one prediction."""
    s = row[:4].sigmoid()
    x, y = (2 * s[0] - 0.5 + column) * stride, (2 * s[1] - 0.5 + line) * stride
    w, h = (2 * s[2]) ** 2 * anchor[0], (2 * s[3]) ** 2 * anchor[1]
    return torch.stack((x - w / 2, y - h / 2, x + w / 2, y + h / 2))


def positives(
    box: Tensor, anchors: Tensor, stride: int, grid: tuple[int, int], threshold: float
) -> list[tuple[int, int, int, int]]:
    """(neighbour, anchor, line, column) that answer for a box in pixels; grid: (lines, columns)."""
    width, height = float(box[2] - box[0]), float(box[3] - box[1])
    x, y = float(box[0] + box[2]) / 2 / stride, float(box[1] + box[3]) / 2 / stride
    back_x, back_y = x % 1 < 0.5 and x > 1, y % 1 < 0.5 and y > 1
    on_x = (grid[1] - x) % 1 < 0.5 and grid[1] - x > 1
    on_y = (grid[0] - y) % 1 < 0.5 and grid[0] - y > 1
    leans = [(True, 0, 0), (back_x, 0, -1), (back_y, -1, 0), (on_x, 0, 1), (on_y, 1, 0)]
    found = []
    for neighbour, (wanted, down, right) in enumerate(leans):
        line = min(int(y) + down, grid[0] - 1)
        column = min(int(x) + right, grid[1] - 1)
        for index, (aw, ah) in enumerate(anchors.tolist()):
            fits = max(width / aw, aw / width, height / ah, ah / height) < threshold
            if wanted and fits:
                found.append((neighbour, index, line, column))
    return found


def entropy(logits: Tensor, truth: Tensor, gains: Gains) -> Tensor:
    """Binary cross entropy, focal (1708.02002) where gamma is not 0."""
    loss = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    if gains.focal_gamma == 0:
        return loss
    p = logits.sigmoid()
    right = truth * p + (1 - truth) * (1 - p)
    alpha = truth * gains.focal_alpha + (1 - truth) * (1 - gains.focal_alpha)
    return loss * alpha * (1 - right) ** gains.focal_gamma


def loss(
    levels: list[Tensor],
    anchors: Tensor,
    strides: list[int],
    prototypes: Tensor,
    images: list[int],
    boxes: Tensor,
    labels: list[int],
    index_map: Tensor,
    gains: Gains,
) -> dict[str, Tensor]:
    """box, mask, objectness, classification and `total` (their sum times the images).

    levels: [B, A, h, w, 5 + C + K] each; boxes: xyxy pixels of all images, ordered by image;
    index_map: [B, h, w], which object of its image (from 1) a cell shows, 0 for none.
    """
    count = len(prototypes)
    classes = levels[0].shape[-1] - 5 - prototypes.shape[1]
    input_size = levels[0].shape[2] * strides[0], levels[0].shape[3] * strides[0]
    parts = {name: prototypes.new_zeros(()) for name in ("box", "mask", "objectness", "class")}
    for level, sizes, stride, balance in zip(levels, anchors, strides, gains.balance, strict=False):
        wanted = torch.zeros(level.shape[:4], dtype=level.dtype)
        grid = (level.shape[2], level.shape[3])
        rows = [  # in the order in which later ones overwrite: neighbour, anchor, object
            (neighbour, anchor, number, line, column)
            for number, box in enumerate(boxes)
            for neighbour, anchor, line, column in positives(
                box, sizes, stride, grid, gains.anchor_threshold
            )
        ]
        for _, anchor, number, line, column in sorted(rows):
            image = images[number]
            row = level[image, anchor, line, column]
            guess = decoded(row, column, line, sizes[anchor] / stride, 1)
            agreement = overlap(guess, boxes[number] / stride, "ciou")
            parts["box"] = parts["box"] + (1 - agreement) / len(rows)
            wanted[image, anchor, line, column] = agreement.detach().clamp(min=0)
            if classes > 1:
                truth = torch.full((classes,), gains.label_smoothing / 2, dtype=row.dtype)
                truth[labels[number]] = 1 - gains.label_smoothing / 2
                wrong = entropy(row[5 : 5 + classes], truth, gains).mean()
                parts["class"] = parts["class"] + wrong / len(rows)
            here = sum(1 for other in rows if images[other[2]] == image)
            wrong = _mask_loss(
                row[5 + classes :] @ prototypes[image].flatten(1),
                index_map[image] == 1 + sum(1 for i in images[:number] if i == image),
                boxes[number],
                input_size,
            )
            parts["mask"] = parts["mask"] + wrong / here
        objectness = entropy(level[..., 4], wanted, gains).mean()
        parts["objectness"] = parts["objectness"] + objectness * balance
    result = {
        "box": parts["box"] * gains.box,
        "mask": parts["mask"] * gains.box / count,
        "objectness": parts["objectness"] * gains.objectness,
        "classification": parts["class"] * gains.classification,
    }
    return result | {"total": sum(result.values(), prototypes.new_zeros(())) * count}


def _mask_loss(logits: Tensor, truth: Tensor, box: Tensor, input_size: tuple[int, int]) -> Tensor:
    """Cross entropy inside the box, over the map's cells, divided by the box's share of it."""
    lines, columns = truth.shape
    x1, x2 = (float(side) * columns / input_size[1] for side in (box[0], box[2]))
    y1, y2 = (float(side) * lines / input_size[0] for side in (box[1], box[3]))
    wrong = F.binary_cross_entropy_with_logits(
        logits.view(lines, columns), truth.to(logits), reduction="none"
    )
    total = logits.new_zeros(())
    for line in range(lines):
        for column in range(columns):
            if x1 <= column < x2 and y1 <= line < y2:
                total = total + wrong[line, column]
    return total / ((x2 - x1) * (y2 - y1))


def kept(
    boxes: Tensor,
    values: Tensor,
    classes: int,
    confidence: float,
    iou: float,
    most: int,
    *,
    best_class_only: bool = False,
) -> list[tuple[int, int, float]]:
    """(row, label, score), best first, of greedy suppression within each class."""
    scored = [
        (float(row[0] * row[1 + label]), number, label)
        for number, row in enumerate(values)
        for label in range(classes)
        if row[0] * row[1 + label] > confidence
        and (not best_class_only or label == int(row[1:].argmax()))
    ]
    chosen: list[tuple[int, int, float]] = []
    for score, number, label in sorted(scored, key=lambda one: -one[0]):
        rivals = [boxes[other] for other, same, _ in chosen if same == label]
        if all(float(overlap(boxes[number], rival, "iou")) <= iou for rival in rivals):
            chosen.append((number, label, score))
    return chosen[:most]


def letterbox(height: int, width: int, side: int) -> tuple[int, int, int, int]:
    """Evaluation's rule: (scaled height, scaled width, top, left); the long side fills `side`, the
    other is rounded up, the rest is padded equally."""
    scale = side / max(height, width)
    scaled = [min(side, math.ceil(round(value * scale, 9))) for value in (height, width)]
    return scaled[0], scaled[1], (side - scaled[0]) // 2, (side - scaled[1]) // 2
