"""Saturation: the share of directions that hold nearly all the variance of a layer [FLOW, sec. 2].

A layer's channels are the coordinates, its cells in all images the samples. The covariance is added
up as they come, in float64, so that memory does not grow with the images.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Covariance:
    """Of samples f32[N, C] that come in pieces."""

    def __init__(self) -> None:
        self.count = 0
        self._shift = self._sum = self._products = torch.empty(0, dtype=torch.float64)

    def add(self, samples: Tensor) -> None:
        """More samples, [n, C]."""
        if not len(samples):
            return
        values = samples.double()
        if not self.count:  # about the first mean, so that little is lost to rounding
            self._shift = values.mean(0)
            self._sum = torch.zeros_like(self._shift)
            self._products = values.new_zeros(values.shape[1], values.shape[1])
        values = values - self._shift
        self.count += len(values)
        self._sum += values.sum(0)
        self._products += values.T @ values

    def matrix(self) -> Tensor:
        """f64[C, C], divided by the number of samples."""
        mean = self._sum / self.count
        return self._products / self.count - torch.outer(mean, mean)

    def saturation(self, share: float = 0.99) -> float:
        """The fewest principal directions that hold `share` of the variance, over C; in 0..1."""
        variances = torch.linalg.eigvalsh(self.matrix()).flip(0).clamp(min=0)
        total = variances.sum()
        if total == 0:
            return 0.0
        needed = int((variances.cumsum(0) < share * total).sum()) + 1
        return min(needed, len(variances)) / len(variances)


def samples_of(output: Tensor, most: int | None = None) -> Tensor:
    """The cells of maps [B, C, H, W] as samples [n, C], or what is [B, C] already.

    most: Cells of an image; a regular grid of them is taken where there are more. None: all.
    """
    if output.dim() == 2:
        return output
    height, width = output.shape[2:]
    step = 1
    while most is not None and -(-height // step) * -(-width // step) > most:
        step += 1
    return output[:, :, ::step, ::step].movedim(1, -1).flatten(0, -2)
