"""Arithmetic that turns several linear operations into one convolution with the same output.

A module that can fold itself has a method `fold()`; `models.fuse` calls it on the whole network.
"""

from __future__ import annotations

from typing import Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn


@runtime_checkable
class Foldable(Protocol):
    """A module whose parts become one convolution; for inference only, and not reversible."""

    def fold(self) -> None:
        """Replace the parts in place; the output in eval mode stays the same."""


def batch_norm_scale_shift(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """The scale and shift [C] that batch normalisation applies in eval mode."""
    mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
    scale = norm.weight.detach() / torch.sqrt(variance + norm.eps)
    return scale, norm.bias.detach() - mean * scale


def fold_batch_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """One convolution with bias in place of `conv` followed by `norm`."""
    scale, shift = batch_norm_scale_shift(norm)
    bias = shift if conv.bias is None else conv.bias.detach() * scale + shift
    return convolution_like(conv, conv.weight.detach() * scale[:, None, None, None], bias)


def convolution_like(conv: nn.Conv2d, weight: Tensor, bias: Tensor) -> nn.Conv2d:
    """A convolution with the geometry of `conv` (kernel size from `weight`), not trainable."""
    folded = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        kernel_size=cast(tuple[int, int], tuple(weight.shape[2:])),
        stride=cast(tuple[int, int], conv.stride),
        padding=cast(tuple[int, int], conv.padding),
        dilation=cast(tuple[int, int], conv.dilation),
        groups=conv.groups,
        device="meta",
    )
    folded.weight = nn.Parameter(weight, requires_grad=False)
    folded.bias = nn.Parameter(bias, requires_grad=False)
    return folded.train(conv.training)
