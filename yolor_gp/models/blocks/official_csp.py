"""Cross stage partial blocks under the names and argument orders of official model files."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from yolor_gp.models.blocks.conv import Conv, make_batch_norm
from yolor_gp.models.blocks.csp import CSPB, CSPStage
from yolor_gp.models.blocks.registry import Block, Count, Expansion, Width, register
from yolor_gp.models.blocks.residual import Bottleneck


@register("C3", "BottleneckCSPA")
class C3(CSPStage):
    """CSP with one transition, after the concatenation (`CSPStage`, fusion "first")."""

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        depth: Count = 1,
        shortcut: bool = True,
        groups: Width = 1,
        expansion: Expansion = 0.5,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            depth,
            fusion="first",
            shortcut=shortcut,
            groups=groups,
            expansion=expansion,
        )


@register("BottleneckCSPC")
class BottleneckCSPC(CSPStage):
    """CSP with both transitions (`CSPStage`, fusion "both")."""

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        depth: Count = 1,
        shortcut: bool = True,
        groups: Width = 1,
        expansion: Expansion = 0.5,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            depth,
            fusion="both",
            shortcut=shortcut,
            groups=groups,
            expansion=expansion,
        )


@register("BottleneckCSPB")
class BottleneckCSPB(CSPB):
    """The neck's CSP, as wide as its output whatever `expansion` says (`CSPB`)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        depth: Count = 1,
        shortcut: bool = False,
        groups: Width = 1,
        expansion: Expansion = 0.5,
    ) -> None:
        if groups != 1:
            raise ValueError(f"groups is 1 here, found {groups}")
        super().__init__(in_channels, out_channels, depth, shortcut)


@register("BottleneckCSP")
class BottleneckCSP(Block):
    """The first published CSP block [CSP]: bare 1x1 transitions, normalised after they are joined.

    y = Conv(act(BN(concat[1x1(blocks(Conv(x))), 1x1(x)]))).
    """

    repeats = "depth"

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        depth: Count = 1,
        shortcut: bool = True,
        groups: Width = 1,
        expansion: Expansion = 0.5,
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        width = max(int(out_channels * expansion), 1)
        self.enter = Conv(in_channels, width)
        self.blocks = nn.Sequential(
            *(Bottleneck(width, width, shortcut, groups, expansion=1.0) for _ in range(depth))
        )
        self.last = nn.Conv2d(width, width, 1, bias=False)
        self.bypass = nn.Conv2d(in_channels, width, 1, bias=False)
        self.norm = make_batch_norm(2 * width)
        self.activation = nn.SiLU()
        self.first = Conv(2 * width, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h, w]."""
        computed = self.last(self.blocks(self.enter(x)))
        joined = torch.cat([computed, self.bypass(x)], dim=1)
        return cast(Tensor, self.first(self.activation(self.norm(joined))))
