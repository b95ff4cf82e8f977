from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from yolor_gp.ops.boxes import Measure, cxcywh_to_xyxy, paired_iou

UNIT = torch.tensor([0.0, 0.0, 1.0, 1.0])


@pytest.mark.coco
@pytest.mark.parametrize("measure", get_args(Measure))
def test_equals_the_golden_numbers(shared: Path, measure: Measure) -> None:
    golden = np.load(shared / "golden/iou.npz")
    first, second = (cxcywh_to_xyxy(torch.tensor(golden[key])) for key in ("a_xywh", "b_xywh"))
    expected = torch.tensor(golden[measure][:, 0])
    torch.testing.assert_close(paired_iou(first, second, measure), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("measure", "expected"),
    # Unit squares two apart: hull 3 x 1, diagonal 10, centres 2 apart, no difference in shape.
    [("iou", 0.0), ("giou", -1 / 3), ("diou", -0.4), ("ciou", -0.4)],
)
def test_separate_squares(measure: Measure, expected: float) -> None:
    other = UNIT + torch.tensor([2.0, 0.0, 2.0, 0.0])
    assert paired_iou(UNIT, other, measure).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("measure", get_args(Measure))
def test_a_box_agrees_with_itself(measure: Measure) -> None:
    corner = torch.rand(6, 2) * 10
    boxes = torch.cat((corner, corner + torch.rand(6, 2) * 5 + 0.5), dim=1)
    found = paired_iou(boxes, boxes, measure)
    torch.testing.assert_close(found, torch.ones(6), rtol=0, atol=1e-5)


def test_gradients_are_right_but_for_the_factor_the_paper_holds_constant() -> None:
    first = torch.tensor([[0.0, 0, 3, 2], [5, 5, 9, 6]], dtype=torch.float64, requires_grad=True)
    second = torch.tensor([[1.0, 1, 4, 4], [1, 1, 2, 3]], dtype=torch.float64)
    for measure in ("iou", "giou", "diou"):
        assert torch.autograd.gradcheck(lambda box, m=measure: paired_iou(box, second, m), first)
    (gradient,) = torch.autograd.grad(paired_iou(first, second, "ciou").sum(), first)
    (plain,) = torch.autograd.grad(paired_iou(first, second, "diou").sum(), first)
    assert not torch.allclose(gradient, plain)


def test_boxes_of_no_size_give_finite_values_and_gradients() -> None:
    point = torch.zeros(1, 4, requires_grad=True)
    value = paired_iou(point, torch.zeros(1, 4), "ciou")
    value.sum().backward()
    assert point.grad is not None and value.isfinite().all() and point.grad.isfinite().all()


def test_half_precision_boxes_are_compared_in_float32() -> None:
    boxes = torch.tensor([[500.0, 500, 640, 620]])
    assert paired_iou(boxes.bfloat16(), boxes.bfloat16()).dtype == torch.float32
