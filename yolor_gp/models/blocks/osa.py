"""One-shot aggregation [VoVNet], and the deep stage that [GP] 3.3 makes of it."""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn

from yolor_gp.models.blocks.conv import Activation, Conv
from yolor_gp.models.blocks.registry import Block, Count, Ratio, Width, register
from yolor_gp.models.blocks.residual import ShortcutRule, StopGradient, with_shortcut


@register("OSA")
class OSA(Block):
    """A chain of `depth` 3x3; the input and all their outputs are joined by one 1x1.

    shortcut: the input is added to the output (VoVNetV2), with the options of `MaskedAdd`.
    """

    widths = ("out_channels", "hidden")

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        hidden: Width,
        depth: Count = 5,
        shortcut: ShortcutRule = False,
        mask_ratio: Ratio = 0.0,
        stop_gradient: StopGradient = "none",
        activation: Activation = "silu",
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.block = with_shortcut(
            _JoinedChain(in_channels, out_channels, hidden, depth, activation),
            in_channels,
            out_channels,
            shortcut,
            mask_ratio,
            stop_gradient,
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h, w]."""
        return cast(Tensor, self.block(x))


class _JoinedChain(nn.Module):
    """x, and every convolution of a chain from x, joined by a 1x1."""

    def __init__(
        self, in_channels: int, out_channels: int, hidden: int, depth: int, activation: Activation
    ) -> None:
        super().__init__()
        self.chain = nn.ModuleList(
            Conv(in_channels if i == 0 else hidden, hidden, 3, activation=activation)
            for i in range(depth)
        )
        self.join = Conv(in_channels + depth * hidden, out_channels, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h, w]."""
        outputs = [x]
        for conv in self.chain:
            outputs.append(conv(outputs[-1]))
        return cast(Tensor, self.join(torch.cat(outputs, dim=1)))


@register("OSAStage")
class OSAStage(Block):
    """`modules` OSA modules of `depth` 3x3 in one chain, only the last with a transition.

    [GP] 3.3 removes the transition of every OSA module but a stage's last, so that the stage
    becomes an ELAN. taps: "modules" joins the stage's input and the last convolution of each
    module, so no layer is more than `depth` layers from the stage's output; "last" joins the
    input and all convolutions of the last module.
    partial: [CSP]: only the second half of the input's channels enters the chain; what it
    becomes is reduced by a 1x1 to that half's width and joins the first half in the last 1x1.
    """

    widths = ("out_channels", "hidden")

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        hidden: Width,
        modules: Count = 1,
        depth: Count = 5,
        taps: Literal["modules", "last"] = "modules",
        partial: bool = False,
        activation: Activation = "silu",
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.skipped = in_channels // 2 if partial else 0
        entering = in_channels - self.skipped
        total = modules * depth
        self.taps = [i for i in range(total) if _is_tap(i, total, depth, taps)]
        self.chain = nn.ModuleList(
            Conv(entering if i == 0 else hidden, hidden, 3, activation=activation)
            for i in range(total)
        )
        joined = entering + len(self.taps) * hidden
        self.transition: nn.Module = nn.Identity()
        if partial:
            self.transition = Conv(joined, entering, activation=activation)
            joined = in_channels
        self.join = Conv(joined, out_channels, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h, w]."""
        y = x[:, self.skipped :] if self.skipped else x
        outputs = [y]
        for i, conv in enumerate(self.chain):
            y = conv(y)
            if i in self.taps:
                outputs.append(y)
        computed: Tensor = self.transition(torch.cat(outputs, dim=1))
        if self.skipped:
            computed = torch.cat([x[:, : self.skipped], computed], dim=1)
        return cast(Tensor, self.join(computed))


def _is_tap(i: int, total: int, depth: int, taps: str) -> bool:
    return (i + 1) % depth == 0 if taps == "modules" else i >= total - depth
