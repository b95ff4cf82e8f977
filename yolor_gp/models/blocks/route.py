"""Blocks without weights that join, split or resize feature maps."""

from __future__ import annotations

from typing import Annotated, Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from yolor_gp.models.blocks.conv import Activation, make_activation
from yolor_gp.models.blocks.registry import Block, ManyInputs, Ratio, register
from yolor_gp.models.blocks.residual import MaskedAdd, StopGradient


@register("Concat")
class Concat(ManyInputs):
    """Inputs one after the other along `dimension` (only 1, the channels, is meaningful)."""

    def __init__(self, in_channels: tuple[int, ...], dimension: Literal[1] = 1) -> None:
        super().__init__()
        self.out_channels = sum(in_channels)
        self.dimension = dimension

    def forward(self, inputs: list[Tensor]) -> Tensor:
        """n of [B, Ci, h, w] -> [B, sum of Ci, h, w]."""
        return torch.cat(inputs, self.dimension)


@register("Add")
class Add(ManyInputs):
    """Residual across layers: every other input is added to the first, which keeps its width.

    The inputs may differ in width: the first min(C1, C2) channels are added and the rest count as
    masked ([GP] 3.1, asymmetric residual). mask_ratio: share of the first input's channels to
    which nothing is added. stop_gradient: "block" stops the first input, "identity" the others.
    """

    def __init__(
        self,
        in_channels: tuple[int, ...],
        mask_ratio: Ratio = 0.0,
        stop_gradient: StopGradient = "none",
        activation: Activation = "none",
    ) -> None:
        super().__init__()
        self.out_channels = in_channels[0]
        self.activation = make_activation(activation)
        self.stop_gradient = stop_gradient
        self.adds = nn.ModuleList(
            MaskedAdd(width, self.out_channels, mask_ratio) for width in in_channels[1:]
        )

    def forward(self, inputs: list[Tensor]) -> Tensor:
        """[B, C1, h, w] and more of [B, Ci, h, w] -> [B, C1, h, w]."""
        y = inputs[0].detach() if self.stop_gradient == "block" else inputs[0]
        for i, add in enumerate(self.adds):
            x = inputs[i + 1]
            y = add(y, x.detach() if self.stop_gradient == "identity" else x)
        return cast(Tensor, self.activation(y))


@register("Upsample", "nn.Upsample")
class Upsample(Block):
    """Enlarged by an integer factor, nearest neighbour unless said; `size` is not supported."""

    def __init__(
        self,
        in_channels: int,
        size: None = None,
        scale: Annotated[int, Field(ge=1, le=32)] = 2,
        mode: Literal["nearest", "bilinear"] = "nearest",
    ) -> None:
        super().__init__()
        self.out_channels = in_channels
        self.upsample = nn.Upsample(size=size, scale_factor=float(scale), mode=mode)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, scale * h, scale * w]."""
        return cast(Tensor, self.upsample(x))


@register("Split")
class Split(Block):
    """One of `parts` equal slices of the channels, counted from 0."""

    def __init__(
        self,
        in_channels: int,
        parts: Annotated[int, Field(ge=2, le=64)] = 2,
        part: Annotated[int, Field(ge=0, le=63)] = 0,
    ) -> None:
        super().__init__()
        if in_channels % parts or part >= parts:
            raise ValueError(f"part {part} of {in_channels} channels in {parts} equal parts")
        self.out_channels = in_channels // parts
        self.start = part * self.out_channels

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C / parts, h, w]."""
        return x[:, self.start : self.start + self.out_channels]


@register("Identity", "nn.Identity")
class Identity(Block):
    """Its input: gives an earlier layer a second name."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.out_channels = in_channels

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> the same."""
        return x


@register("Dropout")
class Dropout(Block):
    """In training, numbers become 0 with `probability` and the others grow to make up for it."""

    def __init__(self, in_channels: int, probability: Ratio = 0.5) -> None:
        super().__init__()
        self.out_channels = in_channels
        self.drop = nn.Dropout(probability)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> the same."""
        return cast(Tensor, self.drop(x))
