"""Folding a whole network: the same outputs, to 1e-5 of the largest."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.models.example_blocks import randomise, tensors_of
from yolor_gp.config.model_spec import load_model_spec
from yolor_gp.config.shipped import shipped_files
from yolor_gp.models.blocks.implicit import ImplicitAdd, ImplicitMultiply
from yolor_gp.models.blocks.pathways import Norm
from yolor_gp.models.blocks.registry import Block
from yolor_gp.models.builder import build_network
from yolor_gp.models.fuse import fuse
from yolor_gp.models.network import DetectionNetwork


def outputs_of(network: nn.Module, images: Tensor) -> list[Tensor]:
    if isinstance(network, DetectionNetwork):
        return tensors_of(network.forward_levels(images))
    return [network(images)]


def distinct_networks() -> list[Path]:
    """Every shipped model but those that differ from another in size or in name only."""
    known: dict[str, Path] = {}
    for path in shipped_files("model"):
        spec = load_model_spec(path)
        same_size = dataclasses.replace(spec, width_multiple=1.0, depth_multiple=1.0)
        known.setdefault(same_size.resolved_yaml, path)
    return list(known.values())


@pytest.mark.parametrize("path", distinct_networks(), ids=lambda path: path.stem)
def test_every_shipped_network_keeps_its_outputs(path: Path) -> None:
    torch.manual_seed(0)
    spec = load_model_spec(path).with_classes(3)
    small = 1.0 if spec.name.startswith(("resne", "csp-resne")) else 0.125  # 32 groups
    spec = dataclasses.replace(spec, width_multiple=small, depth_multiple=0.33)
    network = build_network(spec).eval()
    randomise(network)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = outputs_of(network, images)
        assert fuse(network) is network
        after = outputs_of(network, images)
    for expected, actual in zip(before, after, strict=True):
        assert expected.std() > 0
        assert (actual - expected).abs().max() <= 1e-5 * expected.abs().max()
    left = (nn.BatchNorm2d, ImplicitAdd, ImplicitMultiply)
    # What stands before an activation and a convolution has nothing to be folded into.
    first = {norm.norm for norm in network.modules() if isinstance(norm, Norm)}
    assert not any(isinstance(m, left) and m not in first for m in network.modules())


def test_a_fused_network_is_in_eval_mode_and_fusing_twice_changes_nothing() -> None:
    torch.manual_seed(0)
    network = fuse(build_network(load_model_spec("yolor-elan-n")))
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())
    weights = {key: value.clone() for key, value in network.state_dict().items()}
    fuse(network)
    assert all(torch.equal(value, weights[key]) for key, value in network.state_dict().items())


def test_modules_that_are_not_blocks_are_folded_too() -> None:
    network = build_network(load_model_spec("yolor-csp-n"), device="meta")
    assert isinstance(network, DetectionNetwork)
    assert not any(isinstance(level, Block) for level in network.head.levels)
    fuse(network)
    assert not any(isinstance(module, ImplicitAdd) for module in network.head.modules())
