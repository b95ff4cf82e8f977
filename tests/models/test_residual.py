"""Masked, asymmetric and stopped residual connections, by hand."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from yolor_gp.models.blocks.conv import Conv
from yolor_gp.models.blocks.csp import CSPStage
from yolor_gp.models.blocks.residual import Bottleneck, MaskedAdd, Residual
from yolor_gp.models.blocks.route import Add


def ramp(channels: int, start: float) -> Tensor:
    """[1, channels, 1, 1] holding start, start + 1, ..."""
    return torch.arange(start, start + channels).reshape(1, channels, 1, 1)


@pytest.mark.parametrize(
    ("source", "target", "mask_ratio", "expected"),
    [
        (4, 4, 0.0, [101, 103, 105, 107]),
        (4, 4, 0.5, [101, 103, 3, 4]),
        (4, 4, 0.25, [101, 103, 105, 4]),
        (4, 4, 1.0, [1, 2, 3, 4]),
        (2, 4, 0.0, [101, 103, 3, 4]),
        (6, 4, 0.0, [101, 103, 105, 107]),
        (6, 4, 0.5, [101, 103, 3, 4]),
        (1, 4, 0.5, [101, 2, 3, 4]),
    ],
)
def test_only_unmasked_channels_are_added(
    source: int, target: int, mask_ratio: float, expected: list[int]
) -> None:
    added = MaskedAdd(source, target, mask_ratio)(ramp(target, 1.0), ramp(source, 100.0))
    assert added.flatten().tolist() == expected


def test_masked_channels_hand_no_gradient_to_the_source() -> None:
    x = ramp(4, 100.0).requires_grad_()
    MaskedAdd(4, 4, 0.5)(ramp(4, 1.0), x).sum().backward()
    assert x.grad is not None
    assert x.grad.flatten().tolist() == [1, 1, 0, 0]


def doubling() -> nn.Conv2d:
    conv = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.constant_(conv.weight, 2.0)
    return conv


@pytest.mark.parametrize(
    ("stop_gradient", "of_input"), [("none", 3.0), ("block", 1.0), ("identity", 2.0)]
)
def test_the_stopped_path_hands_back_nothing(stop_gradient: Any, of_input: float) -> None:
    # y = 2x + x at x = 5: the block hands back 2, the identity 1; the weight always learns, by x.
    residual = Residual(doubling(), 1, 1, stop_gradient=stop_gradient)
    x = torch.full((1, 1, 1, 1), 5.0, requires_grad=True)
    y = residual(x)
    y.backward()
    assert y.item() == 15.0
    assert x.grad is not None
    assert x.grad.item() == of_input
    assert cast(Tensor, cast(nn.Conv2d, residual.block).weight.grad).item() == 5.0


@pytest.mark.parametrize(
    ("stop_gradient", "expected"), [("none", (1, 1)), ("block", (0, 1)), ("identity", (1, 0))]
)
def test_add_stops_its_first_input_or_the_others(
    stop_gradient: Any, expected: tuple[int, int]
) -> None:
    y, x = ramp(2, 1.0).requires_grad_(), ramp(2, 5.0).requires_grad_()
    Add((2, 2), stop_gradient=stop_gradient)([y, x]).sum().backward()
    grads = [0 if t.grad is None else int(t.grad.sum().item() / 2) for t in (y, x)]
    assert tuple(grads) == expected


def test_add_of_different_widths_keeps_the_first() -> None:
    block = Add((3, 2, 5))
    assert block.out_channels == 3
    added = block([ramp(3, 0.0), ramp(2, 10.0), ramp(5, 100.0)])
    assert added.flatten().tolist() == [110, 113, 104]  # 0 + 10 + 100, 1 + 11 + 101, 2 + 102


def test_a_bottleneck_has_a_shortcut_only_where_the_field_has_one() -> None:
    assert isinstance(Bottleneck(8, 8).block, Residual)
    assert not isinstance(Bottleneck(8, 16).block, Residual)
    assert not isinstance(Bottleneck(8, 8, shortcut=False).block, Residual)
    assert isinstance(Bottleneck(8, 16, shortcut="asymmetric").block, Residual)


def test_options_reach_every_residual_block_of_a_stage() -> None:
    stage = CSPStage(8, 8, depth=3, mask_ratio=0.5, stop_gradient="block")
    residuals = [module for module in stage.modules() if isinstance(module, Residual)]
    assert len(residuals) == 3
    assert {(r.stop_gradient, r.add.added) for r in residuals} == {("block", 2)}


def test_batch_norm_is_the_fields() -> None:
    norm = Conv(1, 1).norm
    assert isinstance(norm, nn.BatchNorm2d)
    assert (norm.eps, norm.momentum) == (1e-3, 0.03)
