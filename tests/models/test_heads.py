"""The decoder and the classifier: shapes, implicit knowledge, initial biases."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor, nn

from yolor_gp.models.heads.anchor_head import AnchorHead, LevelPredictor
from yolor_gp.models.heads.classifier import Classifier

ANCHORS = (((10.0, 13.0), (16.0, 30.0)), ((30.0, 61.0), (62.0, 45.0)))


def head_of(**words: Any) -> AnchorHead:
    return AnchorHead((8, 12), (8, 16), 3, ANCHORS, **{"prototype_channels": 8, **words})


def features() -> list[Tensor]:
    return [torch.randn(2, 8, 6, 4), torch.randn(2, 12, 3, 2)]


def test_levels_and_prototypes_have_the_stated_shapes() -> None:
    logits, prototypes = head_of(masks=5)(features())
    assert [tuple(level.shape) for level in logits] == [(2, 2, 6, 4, 13), (2, 2, 3, 2, 13)]
    assert prototypes.shape == (2, 5, 12, 8)


def test_prototypes_may_be_twice_as_fine() -> None:
    torch.manual_seed(0)
    head = head_of(masks=5, prototype_scale=4)
    assert head.prototype_stride == 2 and head_of(masks=5).prototype_stride == 4
    assert head(features())[1].shape == (2, 5, 24, 16)


def test_without_masks_there_are_neither_coefficients_nor_prototypes() -> None:
    logits, prototypes = head_of()(features())
    assert logits[0].shape[-1] == 8
    assert prototypes is None


def test_channels_are_ordered_by_anchor_then_output() -> None:
    head = head_of(implicit=False)
    x = features()
    level = cast(LevelPredictor, head.levels[0])
    flat = level.conv(x[0])
    logits, _ = head(x)
    # anchor 1, row 2, column 3, class 2 is channel 1 * 8 + 5 + 2.
    assert logits[0][0, 1, 2, 3, 7] == flat[0, 15, 2, 3]


def test_implicit_constants_act_on_every_output() -> None:
    predictor = LevelPredictor(1, 4, implicit=True)
    nn.init.ones_(predictor.conv.weight)
    nn.init.zeros_(cast(Tensor, predictor.conv.bias))
    add, multiply = predictor.implicit_add, predictor.implicit_multiply
    nn.init.constant_(cast(Tensor, add.value), 2.0)
    cast(Tensor, multiply.value).data = torch.tensor([1.0, 10.0, 100.0, -1.0]).view(1, 4, 1, 1)
    y = predictor(torch.full((1, 1, 1, 1), 3.0))
    assert y.flatten().tolist() == [5, 50, 500, -5]


def test_prototypes_are_made_before_the_implicit_addition() -> None:
    head = head_of(masks=2).eval()
    x = features()
    _, before = head(x)
    nn.init.constant_(cast(Tensor, cast(LevelPredictor, head.levels[0]).implicit_add.value), 9.0)
    _, after = head(x)
    assert torch.equal(before, after)


def test_implicit_constants_start_as_published() -> None:
    torch.manual_seed(0)
    level = LevelPredictor(4000, 4000, implicit=True)
    add = cast(Tensor, level.implicit_add.value)
    multiply = cast(Tensor, level.implicit_multiply.value)
    assert abs(add.mean().item()) < 0.002 and abs(add.std().item() - 0.02) < 0.002
    assert abs(multiply.mean().item() - 1) < 0.002 and abs(multiply.std().item() - 0.02) < 0.002


def test_biases_expect_eight_objects_an_image() -> None:
    torch.manual_seed(0)
    head = head_of(masks=4)
    torch.manual_seed(0)
    plain = [nn.Conv2d(c, 24, 1) for c in (8, 12)]
    for level, conv in zip(head.levels, plain, strict=True):
        # As drawn by nn.Conv2d, whose bound is 1 / sqrt(inputs), but for what is added.
        bound = 1 / math.sqrt(conv.in_channels)
        bias = cast(Tensor, cast(LevelPredictor, level).conv.bias).view(2, 12)
        stride = {8: 8, 12: 16}[conv.in_channels]
        objectness = math.log(8 / (640 / stride) ** 2)
        classes = math.log(0.6 / (3 - 0.99))
        assert (bias[:, :4].abs() <= bound).all()
        assert ((bias[:, 4] - objectness).abs() <= bound).all()
        assert ((bias[:, 5:8] - classes).abs() <= bound).all()
        assert (bias[:, 8:].abs() <= bound).all()


def test_a_classifier_averages_over_the_image() -> None:
    head = Classifier(2, 3)
    x = torch.randn(4, 2, 5, 7)
    expected = x.mean((2, 3)) @ head.conv.weight.flatten(1).T + cast(Tensor, head.conv.bias)
    assert torch.allclose(head(x), expected, atol=1e-6)
