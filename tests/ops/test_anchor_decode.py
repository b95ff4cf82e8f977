from __future__ import annotations

import math

import pytest
import torch

from yolor_gp.ops.anchor_decode import decode_boxes, decode_level, grid_cells


def test_one_box_by_hand() -> None:
    logits = torch.tensor([0.0, math.log(3), 0.0, math.log(3)])
    box = decode_boxes(logits, torch.tensor([4, 7]), torch.tensor([10.0, 20.0]), 8)
    # Sigmoids 0.5, 0.75, 0.5, 0.75: centre (4.5, 8) cells, size 1 x 10 and 2.25 x 20.
    assert box.tolist() == pytest.approx([36 - 5, 64 - 22.5, 36 + 5, 64 + 22.5])


def test_a_level_puts_every_anchor_on_every_cell() -> None:
    logits = torch.zeros(2, 3, 4, 5, 11)
    anchors = torch.tensor([[2.0, 4], [6, 8], [10, 12]])
    boxes = decode_level(logits, anchors, 16)
    assert boxes.shape == (2, 3, 4, 5, 4)
    assert boxes[1, 2, 3, 1].tolist() == [24 - 5, 56 - 6, 24 + 5, 56 + 6]
    assert grid_cells(4, 5)[3, 1].tolist() == [1, 3]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_logits_are_decoded_in_float32(dtype: torch.dtype) -> None:
    logits = (torch.randn(1, 1, 80, 80, 6) * 2).to(dtype)
    anchors = torch.tensor([[459.0, 401.0]])
    boxes = decode_level(logits, anchors, 8)
    assert boxes.dtype == torch.float32
    torch.testing.assert_close(boxes, decode_level(logits.float(), anchors, 8), rtol=0, atol=1e-3)
