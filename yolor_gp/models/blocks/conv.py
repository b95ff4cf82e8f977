"""Convolution, batch normalisation and activation: the layer everything is made of."""

from __future__ import annotations

from typing import Literal, cast

from torch import Tensor, nn

from yolor_gp.models.blocks.folding import fold_batch_norm
from yolor_gp.models.blocks.registry import Block, Count, Kernel, Padding, Width, register

ActivationName = Literal["silu", "relu", "leaky_relu", "mish", "hardswish", "sigmoid", "none"]
# Official files write True for SiLU and False for none.
Activation = bool | ActivationName


def make_activation(name: Activation) -> nn.Module:
    """The activation of that name; SiLU for True, identity for False."""
    makers: dict[Activation, nn.Module] = {
        "silu": nn.SiLU(),
        "relu": nn.ReLU(),
        "leaky_relu": nn.LeakyReLU(0.1),
        "mish": nn.Mish(),
        "hardswish": nn.Hardswish(),
        "sigmoid": nn.Sigmoid(),
        "none": nn.Identity(),
        True: nn.SiLU(),
        False: nn.Identity(),
    }
    return makers[name]


BATCH_NORM_EPSILON = 1e-3


def make_batch_norm(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation with YOLOv5's epsilon and momentum 0.03."""
    return nn.BatchNorm2d(channels, eps=BATCH_NORM_EPSILON, momentum=0.03)


@register("Conv")
class Conv(Block):
    """Bias-free convolution, batch normalisation, activation: `Conv(c, k, s)`.

    [B, in_channels, h, w] -> [B, out_channels, h / stride, w / stride]; padding keeps the size of
    odd kernels unless it is given. norm: False has a bias instead of the normalisation.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        kernel: Kernel = 1,
        stride: Count = 1,
        padding: Padding | None = None,
        groups: Width = 1,
        activation: Activation = "silu",
        norm: bool = True,
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        padding = kernel // 2 if padding is None else padding
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel, stride, padding, groups=groups, bias=not norm
        )
        self.norm: nn.Module = make_batch_norm(out_channels) if norm else nn.Identity()
        self.activation = make_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h', w']."""
        return cast(Tensor, self.activation(self.norm(self.conv(x))))

    def fold(self) -> None:
        """Make the convolution and its normalisation one convolution with bias."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = fold_batch_norm(self.conv, self.norm)
            self.norm = nn.Identity()
