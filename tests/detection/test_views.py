"""Objects of known places, as each view would show them, come back whole from all views."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.detection.join import join
from yolor_gp.detection.views import View, Views
from yolor_gp.errors import UserError
from yolor_gp.ops.boxes import boxes_to_letterbox
from yolor_gp.ops.image_size import ImageSize
from yolor_gp.structures.detections import BoxMasks, Detections, PrototypeMasks

SIZE = (500, 800)
FAR_APART = torch.tensor([
    [10.0, 10.0, 60.0, 50.0],
    [120.0, 30.0, 420.0, 90.0],
    [150.0, 120.0, 190.0, 480.0],
    [300.0, 150.0, 790.0, 460.0],
    [240.0, 180.0, 262.0, 204.0],
])  # fmt: skip
"""One inside a window, one cut by an upright edge, one by a level one, one by both, a small one."""


def seen(view: View, objects: Tensor, labels: Tensor) -> Detections:
    """What a perfect network finds in a view: of every object what is shown, all of it masked."""
    left, top, right, bottom = view.window
    shown = objects.clone()
    shown[:, 0::2] = shown[:, 0::2].clamp(left, right)
    shown[:, 1::2] = shown[:, 1::2].clamp(top, bottom)
    visible = (shown[:, 2:] - shown[:, :2]).amin(dim=1) > 4
    boxes = shown[visible] - torch.tensor([left, top, left, top])
    if view.mirrored:
        boxes[:, 0::2] = right - left - boxes[:, 0::2].flip(1)
    framed = boxes_to_letterbox(boxes, view.letterbox)
    height, width = view.letterbox.output_size
    masks = PrototypeMasks(
        torch.full((len(framed), 1), 9.0), torch.ones(1, height // 4, width // 4)
    )
    scores = torch.linspace(0.9, 0.5, len(objects))[visible]
    return Detections((height, width), framed, scores, labels[visible], masks)


def found(
    views: Sequence[View], objects: Tensor, labels: Tensor | None = None, **flags: bool
) -> Detections:
    labels = torch.zeros(len(objects), dtype=torch.int64) if labels is None else labels
    parts = [seen(view, objects, labels) for view in views]
    return join(views, parts, ValidationConfig(), **flags)


def assert_are(detections: Detections, objects: Tensor) -> None:
    """The same boxes, in any order, and masks that fill them."""
    assert len(detections) == len(objects)
    order = (detections.boxes[:, None] - objects).abs().sum(dim=2).argmin(dim=1)
    assert sorted(order.tolist()) == list(range(len(objects)))
    torch.testing.assert_close(detections.boxes, objects[order], atol=1e-3, rtol=0)
    assert isinstance(detections.masks, BoxMasks)
    for mask, (x1, y1, x2, y2) in zip(
        detections.masks.dense(), objects[order].tolist(), strict=True
    ):
        expected = np.zeros(SIZE, np.bool_)
        expected[round(y1) : round(y2), round(x1) : round(x2)] = True
        assert (mask != expected).sum() <= 2 * (x2 - x1 + y2 - y1)  # a pixel of the outline
        assert mask.sum() > 0


@pytest.mark.parametrize("side", [100, 200, 320, 499])
@pytest.mark.parametrize("augment", [False, True])
def test_objects_cut_by_windows_come_back_whole(side: int, augment: bool) -> None:
    views = Views(side, 0.2, augment).of(SIZE, ImageSize(320, 320), 32)
    assert_are(found(views, FAR_APART), FAR_APART)
    only_windows = [view for view in views if not view.is_whole]
    assert_are(found(only_windows, FAR_APART), FAR_APART)


@pytest.mark.parametrize("rectangular", [False, True])
def test_mirrored_and_scaled_views_agree_with_the_plain_one(rectangular: bool) -> None:
    views = Views(augment=True).of(SIZE, ImageSize(320, 320), 32, rectangular=rectangular)
    assert len(views) == 3 and views[1].mirrored
    for view in views:
        assert_are(found([view], FAR_APART), FAR_APART)
    assert_are(found(views, FAR_APART), FAR_APART)


def test_classes_are_joined_each_for_itself() -> None:
    objects = torch.tensor([[100.0, 100.0, 700.0, 300.0], [104.0, 100.0, 700.0, 300.0]])
    labels = torch.tensor([3, 5])
    views = Views(200).of(SIZE, ImageSize(320, 320), 32)[1:]
    apart = found(views, objects, labels)
    assert sorted(apart.labels.tolist()) == [3, 5]
    together = found(views, objects, labels, class_agnostic=True)
    assert together.labels.tolist() == [3]


def test_nothing_is_found_in_no_view() -> None:
    views = Views(200, augment=True).of(SIZE, ImageSize(320, 320), 32)
    nothing = found(views, FAR_APART[:0])
    assert len(nothing) == 0 and nothing.image_size == SIZE


@pytest.mark.parametrize("size", [(100, 100), (640, 480), (1080, 1920), (333, 4000)])
@pytest.mark.parametrize("overlap", [0.1, 0.2, 0.5, 0.9])
def test_windows_cover_the_picture_and_overlap_as_asked(
    size: tuple[int, int], overlap: float
) -> None:
    height, width = size
    whole, *windows = Views(256, overlap).windows(size, ImageSize(320, 320))
    assert whole == (0, 0, width, height)
    covered = np.zeros(size, np.bool_)
    for left, top, right, bottom in windows:
        assert right - left == min(256, width) and bottom - top == min(256, height)
        covered[top:bottom, left:right] = True
    assert covered.all() == (max(size) > 256)
    begins = sorted({left for left, *_ in windows})
    assert all(b - a <= 256 * (1 - overlap) + 1 for a, b in itertools.pairwise(begins))


@pytest.mark.parametrize("flags", [{"slice": 20}, {"overlap": 0.0}, {"overlap": 0.95}])
def test_windows_that_cannot_be_meant(flags: dict[str, float]) -> None:
    with pytest.raises(UserError, match=f"--{next(iter(flags))}"):
        Views(**flags)  # type: ignore[arg-type]
