"""Residual connections: plain, masked (PRN), asymmetric, and with a stopped gradient."""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn

from yolor_gp.models.blocks.conv import Activation, Conv, make_activation
from yolor_gp.models.blocks.registry import Block, Expansion, Ratio, Width, register

# [GP] Fig. 9: (a) "block" stops the gradient into the computational block, (b) "identity" the
# gradient through the shortcut.
StopGradient = Literal["none", "block", "identity"]
# True is YOLOv5's rule: no shortcut where the widths differ.
ShortcutRule = bool | Literal["asymmetric"]


class MaskedAdd(nn.Module):
    """y with the first channels of x added to its own; the others are masked ([GP] 3.1).

    mask_ratio: share of y's channels to which nothing is added (0: a plain residual connection).
    Asymmetric residual: a narrower or wider x reaches the first min(C1, C2) channels.
    Which channels PRN masks is not published; here the last ones are.
    """

    def __init__(self, source: int, target: int, mask_ratio: float = 0.0) -> None:
        super().__init__()
        self.added = min(source, target, target - round(mask_ratio * target))
        self.is_plain = self.added == source == target
        self.covers_target = self.added == target

    def forward(self, y: Tensor, x: Tensor) -> Tensor:
        """[B, target, h, w], [B, source, h, w] -> [B, target, h, w]."""
        if self.is_plain:
            return y + x
        if self.added == 0:
            return y
        part = x[:, : self.added]
        if self.covers_target:
            return y + part
        return torch.cat([y[:, : self.added] + part, y[:, self.added :]], dim=1)


class Residual(nn.Module):
    """F(x) + x around any computational block F, with the options of [GP]."""

    def __init__(
        self,
        block: nn.Module,
        in_channels: int,
        out_channels: int,
        mask_ratio: float = 0.0,
        stop_gradient: StopGradient = "none",
    ) -> None:
        super().__init__()
        self.block = block
        self.add = MaskedAdd(in_channels, out_channels, mask_ratio)
        self.stop_gradient = stop_gradient

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h, w]."""
        inside = x.detach() if self.stop_gradient == "block" else x
        identity = x.detach() if self.stop_gradient == "identity" else x
        return cast(Tensor, self.add(self.block(inside), identity))


def with_shortcut(
    block: nn.Module,
    in_channels: int,
    out_channels: int,
    shortcut: ShortcutRule,
    mask_ratio: float,
    stop_gradient: StopGradient,
) -> nn.Module:
    """`block` with the residual connection asked for, or bare."""
    if shortcut == "asymmetric" or (shortcut and in_channels == out_channels):
        return Residual(block, in_channels, out_channels, mask_ratio, stop_gradient)
    return block


@register("Bottleneck")
class Bottleneck(Block):
    """1x1 to `expansion * out_channels`, 3x3 to `out_channels`, shortcut: a bottleneck.

    No activation follows the addition. Darknet-53's residual block is this with expansion 0.5.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        shortcut: ShortcutRule = True,
        groups: Width = 1,
        expansion: Expansion = 0.5,
        mask_ratio: Ratio = 0.0,
        stop_gradient: StopGradient = "none",
        activation: Activation = "silu",
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        hidden = max(int(out_channels * expansion), 1)
        block = nn.Sequential(
            Conv(in_channels, hidden, 1, activation=activation),
            Conv(hidden, out_channels, 3, groups=groups, activation=activation),
        )
        self.block = with_shortcut(
            block, in_channels, out_channels, shortcut, mask_ratio, stop_gradient
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h, w]."""
        return cast(Tensor, self.block(x))


class ResidualUnit(Block):
    """A computation beside a shortcut, and an activation after their sum: the unit of ResNets.

    Where the shape changes the shortcut is a 1x1 convolution ("projection"); "asymmetric" has none
    and adds what there is: every stride-th cell, the first min(C1, C2) channels.
    """

    def __init__(
        self,
        block: nn.Module,
        in_channels: int,
        out_channels: int,
        stride: int,
        shortcut: ShortcutRule,
        mask_ratio: float,
        stop_gradient: StopGradient,
        activation: Activation,
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.stop_gradient = stop_gradient
        self.block = block
        self.projection: nn.Module = nn.Identity()
        source = in_channels
        if shortcut is True and (stride != 1 or in_channels != out_channels):
            self.projection = Conv(in_channels, out_channels, 1, stride, activation="none")
            source = out_channels
        elif stride != 1:
            self.projection = nn.MaxPool2d(1, stride)
        self.add = MaskedAdd(source, out_channels, mask_ratio if shortcut else 1.0)
        self.activation = make_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h / stride, w / stride]."""
        inside = x.detach() if self.stop_gradient == "block" else x
        identity = x.detach() if self.stop_gradient == "identity" else x
        y = self.add(self.block(inside), self.projection(identity))
        return cast(Tensor, self.activation(y))


@register("ResNetBlock")
class ResNetBlock(ResidualUnit):
    """1x1, 3x3 (strided, in `groups`), 1x1 without activation; shortcut, then activation.

    [He et al. 2015] with groups 1, [Xie et al. 2016] with groups 32. hidden: width of the 3x3.
    """

    widths = ("out_channels", "hidden")

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        hidden: Width,
        stride: Literal[1, 2] = 1,
        groups: Width = 1,
        shortcut: ShortcutRule = True,
        mask_ratio: Ratio = 0.0,
        stop_gradient: StopGradient = "none",
        activation: Activation = "relu",
    ) -> None:
        block = nn.Sequential(
            Conv(in_channels, hidden, 1, activation=activation),
            Conv(hidden, hidden, 3, stride, groups=groups, activation=activation),
            Conv(hidden, out_channels, 1, activation="none"),
        )
        options = (stride, shortcut, mask_ratio, stop_gradient, activation)
        super().__init__(block, in_channels, out_channels, *options)


@register("BasicBlock")
class BasicBlock(ResidualUnit):
    """3x3 (strided), 3x3 without activation; shortcut, then activation [He et al. 2015]."""

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        stride: Literal[1, 2] = 1,
        shortcut: ShortcutRule = True,
        mask_ratio: Ratio = 0.0,
        stop_gradient: StopGradient = "none",
        activation: Activation = "relu",
    ) -> None:
        block = nn.Sequential(
            Conv(in_channels, out_channels, 3, stride, activation=activation),
            Conv(out_channels, out_channels, 3, activation="none"),
        )
        options = (stride, shortcut, mask_ratio, stop_gradient, activation)
        super().__init__(block, in_channels, out_channels, *options)
