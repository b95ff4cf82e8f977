"""Letterbox geometry against the golden numbers, and boxes there and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from yolor_gp.ops.boxes import boxes_to_letterbox, boxes_to_original
from yolor_gp.ops.letterbox import (
    Letterbox,
    evaluation_letterbox,
    letterbox_geometry,
    pad,
    place,
    resize,
)


@pytest.mark.coco
def test_geometry_equals_the_golden_numbers(shared: Path) -> None:
    cases = json.loads((shared / "golden" / "letterbox.json").read_text())
    assert len(cases) > 50
    for case in cases:
        box = letterbox_geometry(
            (case["h"], case["w"]),
            tuple(case["new_shape"]),
            stride=case["stride"],
            rectangular=case["auto"],
            scale_up=case["scaleup"],
        )
        assert list(box.output_size) == case["out_shape"], case
        padding = [
            (out - inner) / 2 for out, inner in zip(box.output_size, box.scaled_size, strict=True)
        ]
        assert padding[::-1] == case["pad_wh"], case
        # The ratio is what sizes were rounded from; ours is exact for the rounded sizes.
        for side in (0, 1):
            error = abs(box.scaled_size[side] - box.original_size[side] * case["ratio"][side])
            assert error <= 0.5, case
        assert box.left == int(case["pad_wh"][0]) and box.top == int(case["pad_wh"][1])


@pytest.mark.parametrize(
    ("original", "scaled", "top", "left"),
    [
        ((480, 640), (480, 640), 80, 0),
        ((333, 500), (427, 640), 106, 0),  # 426.24 rounded up
        ((500, 333), (640, 427), 0, 106),
        ((426, 640), (426, 640), 107, 0),
        ((1, 10_000), (1, 640), 319, 0),
        ((7, 7), (640, 640), 0, 0),
    ],
)
def test_evaluation_protocol_rounds_the_short_side_up(
    original: tuple[int, int], scaled: tuple[int, int], top: int, left: int
) -> None:
    box = evaluation_letterbox(original, 640)
    assert box == Letterbox(original, scaled, (640, 640), top, left)


def test_place_resizes_and_pads_with_grey() -> None:
    image = np.full((20, 40, 3), 200, np.uint8)
    box = evaluation_letterbox((20, 40), 64)
    placed = place(image, box)
    assert placed.shape == (64, 64, 3)
    assert (placed[16:48] == 200).all()
    assert (placed[:16] == 114).all() and (placed[48:] == 114).all()
    assert (pad(resize(image, box.scaled_size), box) == placed).all()
    with pytest.raises(ValueError, match="expected an image of"):
        place(image[:10], box)


def test_shrinking_far_averages_instead_of_skipping_pixels() -> None:
    stripes = np.zeros((80, 80, 3), np.uint8)
    stripes[:, ::8] = 240
    small = resize(stripes, (10, 10))
    assert np.allclose(small, 30)


def test_boxes_go_there_and_back() -> None:
    box = evaluation_letterbox((333, 500), 640)
    boxes = torch.tensor([[0.0, 0.0, 500.0, 333.0], [10.0, 20.0, 30.5, 300.0]])
    moved = boxes_to_letterbox(boxes, box)
    assert torch.allclose(moved[0], torch.tensor([0.0, 106.0, 640.0, 533.0]))
    assert torch.allclose(boxes_to_original(moved, box), boxes, atol=1e-4)
    outside = boxes_to_original(torch.tensor([[-50.0, 0.0, 700.0, 640.0]]), box)
    assert torch.allclose(outside, torch.tensor([[0.0, 0.0, 500.0, 333.0]]))


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        letterbox_geometry((0, 10), 640)
