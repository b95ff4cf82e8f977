"""Every registered block keeps what it promises the builder."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.models.example_blocks import construct, examples, inputs_of, randomise, tensors_of
from yolor_gp.models.binding import block_parameters
from yolor_gp.models.blocks.dense import sparse_sources
from yolor_gp.models.blocks.elan import ELAN
from yolor_gp.models.blocks.registry import Block, find_block, known_blocks, register
from yolor_gp.models.fuse import fuse

every_example = pytest.mark.parametrize(
    ("name", "arguments"),
    examples(),
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())),
)


@every_example
def test_a_block_gives_the_channels_it_states(name: str, arguments: dict[str, Any]) -> None:
    torch.manual_seed(0)
    block = construct(name, arguments)
    output = block(inputs_of(block))
    if block.task is None:
        assert output.shape[:2] == (2, block.out_channels)
        assert output.ndim == 4
    assert all(torch.isfinite(tensor).all() for tensor in tensors_of(output))


# What is normalised there is a sum or a concatenation, no convolution's output.
NORMALISED_FIRST = {"BottleneckCSP": 1, "Norm": 1, "PreConv": 1, "DenseNetStage": 2}


@every_example
def test_folding_keeps_the_output(name: str, arguments: dict[str, Any]) -> None:
    torch.manual_seed(0)
    block = construct(name, arguments).eval()
    randomise(block)
    inputs = inputs_of(block)
    with torch.no_grad():
        before = tensors_of(block(inputs))
        after = tensors_of(fuse(block)(inputs))
    left = [part for part in block.modules() if isinstance(part, nn.BatchNorm2d)]
    assert len(left) == NORMALISED_FIRST.get(name, 0) * arguments.get("depth", 1)
    for expected, actual in zip(before, after, strict=True):
        assert (actual - expected).abs().max() <= 1e-5 * expected.abs().max()


@every_example
def test_every_parameter_learns_unless_a_gradient_is_stopped(
    name: str, arguments: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    block = construct(name, arguments)
    inputs = inputs_of(block)
    # A block without parameters hands the gradient on, but for one input that may be stopped.
    parameters = list(block.parameters())
    learning = parameters or [tensor.requires_grad_() for tensor in tensors_of(inputs)]  # type: ignore[misc]
    stopped = 0 if parameters else int(bool(arguments.get("stop_gradient")))
    outputs = tensors_of(block(inputs))
    loss = sum((tensor**2).sum() for tensor in outputs)
    assert isinstance(loss, Tensor)
    loss.backward()
    assert sum(tensor.grad is None for tensor in learning) == stopped


@pytest.mark.parametrize("name", sorted(known_blocks()))
def test_what_the_registry_is_told(name: str) -> None:
    block = known_blocks()[name]
    parameters = block_parameters(block)
    assert block.repeats is None or block.repeats in parameters
    assert block.repeats not in block.widths
    assert block.__doc__ and block.__doc__ != Block.__doc__


def test_a_name_can_be_taken_only_once() -> None:
    with pytest.raises(ValueError, match="block 'Conv' is registered twice"):
        register("Conv")(Block)
    assert find_block("Conv") is not Block
    assert find_block("conv") is None


def test_the_taps_of_elan_are_as_wide_as_its_two_paths() -> None:
    for stack, width in ((1, 8), (2, 16), (4, 32)):
        block = ELAN(16, 32, hidden=16, stack=stack)
        assert {conv.conv.out_channels for conv in block.chain} == {width}
        assert block.join.conv.in_channels == 64


def test_sparse_connections_reach_back_by_powers_of_two() -> None:
    assert [sparse_sources(layer) for layer in (1, 2, 3, 4, 9)] == [
        [0], [1, 0], [2, 1], [3, 2, 0], [8, 7, 5, 1]
    ]  # fmt: skip
