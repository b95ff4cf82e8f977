from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.ops import box_iou

import yolor_gp.ops.nms as module
from yolor_gp.ops.nms import class_aware_nms, score_candidates


def reference(
    boxes: Tensor, scores: Tensor, labels: Tensor, threshold: float, most: int, agnostic: bool
) -> list[int]:
    """The definition, one candidate at a time."""
    overlaps = box_iou(boxes, boxes)
    kept: list[int] = []
    for index in scores.argsort(descending=True, stable=True).tolist():
        rivals = [k for k in kept if agnostic or labels[k] == labels[index]]
        if len(kept) < most and not any(overlaps[k, index] > threshold for k in rivals):
            kept.append(index)
    return kept


def candidates(count: int, spread: float, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * spread
    size = torch.rand(count, 2, generator=generator) * 30 + 10
    scores = (torch.rand(count, generator=generator) * 20).round() / 20
    labels = torch.randint(0, 3, (count,), generator=generator)
    return torch.cat((corner, corner + size), dim=1), scores, labels


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(0, 80),
    spread=st.sampled_from([5.0, 60.0, 500.0]),
    threshold=st.sampled_from([0.3, 0.65]),
    most=st.integers(1, 30),
    agnostic=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_keeps_what_the_definition_keeps(
    count: int, spread: float, threshold: float, most: int, agnostic: bool, seed: int
) -> None:
    boxes, scores, labels = candidates(count, spread, seed)
    kept = class_aware_nms(
        boxes,
        scores,
        labels,
        iou_threshold=threshold,
        max_detections=most,
        class_agnostic=agnostic,
    )
    assert kept.tolist() == reference(boxes, scores, labels, threshold, most, agnostic)


@pytest.mark.parametrize("spread", [20.0, 2000.0])
def test_many_chunks_give_what_one_visit_gives(spread: float) -> None:
    boxes, scores, labels = candidates(1500, spread)
    chunked = class_aware_nms(boxes, scores, labels, iou_threshold=0.6, max_detections=40)
    whole = class_aware_nms(boxes, scores, labels, iou_threshold=0.6, max_detections=3000)
    assert chunked.tolist() == whole[:40].tolist()
    assert (scores[whole].diff() <= 0).all()


def test_only_the_best_candidates_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CANDIDATES", 10)
    boxes, _, labels = candidates(50, 10_000.0)
    scores = torch.linspace(1, 0, 50)
    kept = class_aware_nms(boxes, scores, labels, iou_threshold=0.9, max_detections=300)
    assert kept.tolist() == list(range(10))


def test_one_row_may_be_several_labels_or_its_best() -> None:
    objectness = torch.tensor([0.5, 1.0])
    classes = torch.tensor([[0.9, 0.8, 0.1], [0.0, 0.05, 0.04]])
    row, label, score = score_candidates(objectness, classes, 0.2, multi_label=True)
    assert (row.tolist(), label.tolist()) == ([0, 0], [0, 1])
    assert score.tolist() == pytest.approx([0.45, 0.4])
    row, label, _ = score_candidates(objectness, classes, 0.01, multi_label=False)
    assert (row.tolist(), label.tolist()) == ([0, 1], [0, 1])
