"""Arguments with which every registered block can be constructed on 16 channels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import yolor_gp.models.blocks  # noqa: F401
import yolor_gp.models.heads  # noqa: F401
from yolor_gp.models.binding import block_parameters, takes_strides
from yolor_gp.models.blocks.borrowed import Borrowed
from yolor_gp.models.blocks.registry import Block, known_blocks

CHANNELS, SIZE = 16, 16
EQUAL_WIDTHS = ("Shortcut",)

# Values for required arguments, by their name; a block with others needs an entry in VARIANTS.
REQUIRED: dict[str, Any] = {
    "out_channels": 24, "hidden": 8, "growth": 8, "half": 8, "num_classes": 3,
    "paths": ((1, 3), (2, 5)),
    "anchors": (((10.0, 13.0), (16.0, 30.0)), ((30.0, 61.0), (62.0, 45.0))),
}  # fmt: skip

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "Conv": [{"kernel": 3, "stride": 2}, {"groups": 8, "activation": False}],
    "Bottleneck": [
        {"out_channels": 16},
        {"out_channels": 16, "mask_ratio": 0.5},
        {"shortcut": "asymmetric"},
        {"out_channels": 8, "shortcut": "asymmetric", "stop_gradient": "identity"},
    ],
    "ResNetBlock": [{"stride": 2}, {"stride": 2, "shortcut": "asymmetric"}, {"shortcut": False}],
    "CSPStage": [
        *({"fusion": fusion, "depth": 2} for fusion in ("both", "first", "last", "none")),
        {"computation": "resnet", "groups": 4, "depth": 2},
        {"computation": "dense", "depth": 3},
        {"enter_channels": 8, "shortcut": "asymmetric", "depth": 2},
        {"mask_ratio": 0.5, "stop_gradient": "block"},
    ],
    "CSPB": [{"depth": 2, "shortcut": True, "mask_ratio": 0.5}],
    "ELAN": [{"stack": 1}, {"stack": 2}, {"stack": 3, "depth": 6}],
    "Dense": [{"depth": 4}],
    "SparseDense": [{"depth": 9}],
    "SparseResidual": [{"depth": 5}, {"out_channels": 16, "depth": 5}],
    "OSA": [
        {"out_channels": 16, "shortcut": True, "mask_ratio": 0.5},
        {"shortcut": "asymmetric", "stop_gradient": "identity"},
    ],
    "OSAStage": [{"modules": 3, "depth": 2}, {"modules": 2, "partial": True}, {"taps": "last"}],
    "RepConv": [{"out_channels": 16}, {"stride": 2}, {"out_channels": 16, "groups": 4}],
    "Add": [{"mask_ratio": 0.25}, {"stop_gradient": "block"}, {"stop_gradient": "identity"}],
    "Upsample": [{"mode": "bilinear", "scale": 3}],
    "MultiPathStage": [{"depth": 2, "stride": 1}],
    "DenseNetStage": [{"growth": 8, "depth": 2}],
    "AnchorHead": [{"masks": 4}, {"masks": 4, "implicit": False}],
}


def examples() -> list[tuple[str, dict[str, Any]]]:
    """Every registered block: bare, and in its variants."""
    cases: list[tuple[str, dict[str, Any]]] = []
    for name, block in known_blocks().items():
        if issubclass(block, Borrowed):  # takes images: test_borrowed
            continue
        needed = {
            key: REQUIRED[key]
            for key, parameter in block_parameters(block).items()
            if parameter.is_required and key in REQUIRED
        }
        cases += [(name, {**needed, **words}) for words in [{}, *VARIANTS.get(name, [])]]
    return cases


def construct(name: str, arguments: dict[str, Any]) -> Block:
    """The block on 16 channels, on two inputs of 16 and 24 where it takes many."""
    block = known_blocks()[name]
    given: dict[str, Any] = {"strides": (8, 16)} if takes_strides(block) else {}
    second = CHANNELS if name in EQUAL_WIDTHS else 24
    in_channels: Any = (CHANNELS, second) if block.takes_many else CHANNELS
    return block(in_channels, **given, **arguments)


def inputs_of(block: Block) -> Any:
    """A random input [2, 16, 16, 16], and a second as wide as `construct` says."""
    x = torch.randn(2, CHANNELS, SIZE, SIZE)
    if not block.takes_many:
        return x
    second = CHANNELS if type(block).__name__ in EQUAL_WIDTHS else 24
    return [x, torch.randn(2, second, SIZE, SIZE)]


def tensors_of(output: Any) -> list[Tensor]:
    """The tensors of a block's or a head's output."""
    if isinstance(output, Tensor):
        return [output]
    return [tensor for part in output if part is not None for tensor in tensors_of(part)]


@torch.no_grad()
def randomise(module: nn.Module) -> None:
    """Statistics of batch normalisation and implicit constants as training might leave them."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, 0, 0.3)
            assert part.running_mean is not None and part.running_var is not None
            part.running_mean.normal_(0, 0.3)
            part.running_var.uniform_(0.5, 2.0)
        value = getattr(part, "value", None)
        if isinstance(value, nn.Parameter):
            value.add_(torch.randn_like(value) * 0.3)
