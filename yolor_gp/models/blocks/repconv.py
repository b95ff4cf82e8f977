"""RepConv: three branches in training, one 3x3 convolution in deployment [RepVGG]."""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn

from yolor_gp.models.blocks.conv import Activation, make_activation, make_batch_norm
from yolor_gp.models.blocks.folding import (
    batch_norm_scale_shift,
    convolution_like,
    fold_batch_norm,
)
from yolor_gp.models.blocks.registry import Block, Width, register


@register("RepConv")
class RepConv(Block):
    """3x3 + 1x1 + identity (where the shapes allow it), each batch-normalised, then activation.

    [B, in_channels, h, w] -> [B, out_channels, h / stride, w / stride].
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        kernel: Literal[3] = 3,
        stride: Literal[1, 2] = 1,
        padding: Literal[1] | None = None,
        groups: Width = 1,
        activation: Activation = "silu",
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.groups = groups
        self.dense = nn.Conv2d(
            in_channels, out_channels, kernel, stride, padding=1, groups=groups, bias=False
        )
        self.dense_norm: nn.Module = make_batch_norm(out_channels)
        self.point: nn.Conv2d | None = nn.Conv2d(
            in_channels, out_channels, 1, stride, padding=0, groups=groups, bias=False
        )
        self.point_norm: nn.Module = make_batch_norm(out_channels)
        has_identity = in_channels == out_channels and stride == 1
        self.identity_norm = make_batch_norm(in_channels) if has_identity else None
        self.activation = make_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h', w']."""
        y: Tensor = self.dense_norm(self.dense(x))
        if self.point is not None:
            y = y + self.point_norm(self.point(x))
        if self.identity_norm is not None:
            y = y + self.identity_norm(x)
        return cast(Tensor, self.activation(y))

    def fold(self) -> None:
        """Make the three branches one 3x3 convolution with bias."""
        if self.point is None:
            return
        dense = fold_batch_norm(self.dense, cast(nn.BatchNorm2d, self.dense_norm))
        point = fold_batch_norm(self.point, cast(nn.BatchNorm2d, self.point_norm))
        weight = dense.weight + nn.functional.pad(point.weight, [1, 1, 1, 1])
        bias = cast(Tensor, dense.bias) + cast(Tensor, point.bias)
        if self.identity_norm is not None:
            scale, shift = batch_norm_scale_shift(self.identity_norm)
            weight = weight + self._identity_kernel(scale)
            bias = bias + shift
        self.dense = convolution_like(self.dense, weight, bias)
        self.dense_norm = nn.Identity()
        self.point, self.point_norm, self.identity_norm = None, nn.Identity(), None

    def _identity_kernel(self, scale: Tensor) -> Tensor:
        """The grouped 3x3 kernel that multiplies each channel by its `scale` [C]."""
        per_group = self.dense.weight.shape[1]
        own = torch.arange(len(scale), device=scale.device) % per_group
        kernel = torch.nn.functional.one_hot(own, per_group).to(scale.dtype) * scale[:, None]
        return nn.functional.pad(kernel[:, :, None, None], [1, 1, 1, 1])
