from __future__ import annotations

import hotcoco
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from yolor_gp.ops.letterbox import Letterbox
from yolor_gp.structures.detections import BoxMasks, Detections, PrototypeMasks

LETTERBOX = Letterbox((50, 100), (32, 64), (64, 64), 16, 0)


def detections(count: int = 3, dtype: torch.dtype = torch.float32) -> Detections:
    generator = torch.Generator().manual_seed(0)
    corner = torch.rand(count, 2, generator=generator) * 40
    boxes = torch.cat((corner, corner + 20), dim=1)
    masks = PrototypeMasks(
        torch.randn(count, 4, generator=generator).to(dtype),
        torch.randn(4, 16, 16, generator=generator).to(dtype),
    )
    return Detections((64, 64), boxes, torch.rand(count), torch.arange(count), masks)


def test_boxes_go_back_to_the_image_and_stay_in_it() -> None:
    boxes = torch.tensor([[6.4, 22.4, 32.0, 40.0], [-5.0, 0.0, 70.0, 64.0]])
    found = Detections((64, 64), boxes, torch.ones(2), torch.zeros(2, dtype=torch.int64))
    original = found.to_original(LETTERBOX)
    assert original.image_size == (50, 100) and original.masks is None
    expected = torch.tensor([[10.0, 10.0, 50.0, 37.5], [0.0, 0.0, 100.0, 50.0]])
    torch.testing.assert_close(original.boxes, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_masks_equal_upsampling_the_whole_and_cutting_to_the_box(dtype: torch.dtype) -> None:
    found = detections(dtype=dtype)
    assert isinstance(found.masks, PrototypeMasks)
    original = found.to_original(LETTERBOX, 0.5)
    assert isinstance(original.masks, BoxMasks)
    cells = found.masks.prototypes.float()[:, 4:12]
    logits = torch.einsum("nk,khw->nhw", found.masks.coefficients.float(), cells)
    upsampled = F.interpolate(logits.sigmoid()[None], size=(50, 100), mode="bilinear")[0]
    column, row = torch.arange(100), torch.arange(50)[:, None]
    for mask, box, expected in zip(original.masks.dense(), original.boxes, upsampled, strict=True):
        x1, y1, x2, y2 = box
        inside = (column >= x1) & (column < x2) & (row >= y1) & (row < y2)
        assert inside.any()
        assert np.array_equal(mask, ((expected > 0.5) & inside).numpy())


def test_rle_bitmap_and_dense_say_the_same() -> None:
    masks = detections().to_original(LETTERBOX).masks
    assert isinstance(masks, BoxMasks)
    dense = masks.dense()
    assert dense.any()
    for index, rle in enumerate(masks.rle()):
        assert np.array_equal(hotcoco.mask.decode(rle), dense[index])
        left, top, right, bottom = masks.windows[index]
        assert np.array_equal(masks.bitmap(index), dense[index, top:bottom, left:right])


@pytest.mark.parametrize("index", [torch.tensor([2, 0]), torch.tensor([True, False, True])])
def test_selection_keeps_boxes_and_masks_together(index: torch.Tensor) -> None:
    found = detections()
    before = found.select(index).to_original(LETTERBOX)
    after = found.to_original(LETTERBOX).select(index)
    torch.testing.assert_close(before.labels, after.labels)
    assert isinstance(before.masks, BoxMasks) and isinstance(after.masks, BoxMasks)
    assert before.masks.rle() == after.masks.rle() and len(before) == 2


def test_nothing_found_goes_all_the_way() -> None:
    original = detections(0).to_original(LETTERBOX)
    assert isinstance(original.masks, BoxMasks)
    assert len(original) == 0 and original.masks.rle() == []
    assert original.masks.dense().shape == (0, 50, 100)


def test_wrong_shapes_and_frames_are_named() -> None:
    one = torch.zeros(1)
    with pytest.raises(ValueError, match=r"Detections.boxes: expected shape \[1, 4\]"):
        Detections((4, 4), torch.zeros(1, 5), one, one.long())
    with pytest.raises(ValueError, match="expected 1 masks, got 3"):
        Detections((4, 4), torch.zeros(1, 4), one, one.long(), detections().masks)
    original = detections().to_original(LETTERBOX)
    with pytest.raises(ValueError, match="expected detections in a frame of"):
        original.to_original(LETTERBOX)
