"""How alike two layers see the images: linear CKA, unbiased, over minibatches [CKA].

For a batch of n images the Gram matrices K = X X^T and L = Y Y^T of two layers, diagonals set to
0, are compared by HSIC_1, the unbiased estimate of the Hilbert-Schmidt independence criterion:

    [tr(K L) + 1'K1 1'L1 / ((n-1)(n-2)) - 2 / (n-2) 1'K L1] / (n (n-3))

and CKA is the sum of HSIC_1(K, L) over batches, divided by the roots of those of (K, K) and (L, L).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

LEAST_BATCH = 4
"""Images below which HSIC_1 is not defined."""

_MOST_CELLS = 8
"""Cells a side of a map that is compared; of a larger one they are averages."""


class MinibatchCKA:
    """Between all layers of one list and all of another, or of the same."""

    def __init__(self) -> None:
        self._cross = self._rows = self._columns = torch.empty(0, dtype=torch.float64)
        self.batches = 0

    def add(self, rows: Sequence[Tensor], columns: Sequence[Tensor] | None = None) -> None:
        """What layers give for one batch, [n, ...] each; smaller batches than 4 are left out.

        columns: Of the other list; None: `rows` again.
        """
        if len(rows[0]) < LEAST_BATCH:
            return
        first = _grams(rows)
        second = first if columns is None else _grams(columns)
        parts = _hsic(first, second), _own(first), _own(second)
        if not self.batches:
            self._cross, self._rows, self._columns = map(torch.zeros_like, parts)
        self.batches += 1
        for total, part in zip((self._cross, self._rows, self._columns), parts, strict=True):
            total += part

    def matrix(self) -> Tensor:
        """f64[rows, columns], 1 for the same up to rotation and scale; NaN for constant layers."""
        scale = torch.outer(self._rows.clamp(min=0).sqrt(), self._columns.clamp(min=0).sqrt())
        return torch.where(scale > 0, self._cross / scale, torch.nan)


def small_maps(output: Tensor) -> Tensor:
    """What is compared of what a layer gives: maps [B, C, H, W] averaged to at most 8 x 8 cells."""
    if output.dim() == 2 or max(output.shape[2:]) <= _MOST_CELLS:
        return output
    return adaptive_avg_pool2d(output.float(), _MOST_CELLS)


def rounded(matrix: Tensor) -> list[list[float | None]]:
    """For files: six digits, None instead of NaN."""
    return [[None if math.isnan(v) else round(v, 6) for v in row] for row in matrix.tolist()]


def _grams(layers: Sequence[Tensor]) -> Tensor:
    """f64[L, n, n], diagonals 0."""
    grams = torch.stack([_gram(layer.flatten(1).float()) for layer in layers])
    grams.diagonal(dim1=1, dim2=2).zero_()
    return grams


def _gram(values: Tensor) -> Tensor:
    # Centring changes nothing of HSIC_1 in exact arithmetic, and much of its rounding.
    centred = values - values.mean(0)
    return (centred @ centred.T).double()


def _hsic(first: Tensor, second: Tensor) -> Tensor:
    """HSIC_1 of every pair: f64[L, M]."""
    n = first.shape[1]
    products = first.flatten(1) @ second.flatten(1).T
    sums, others = first.sum(2), second.sum(2)
    whole = torch.outer(sums.sum(1), others.sum(1)) / ((n - 1) * (n - 2))
    return (products + whole - 2 / (n - 2) * (sums @ others.T)) / (n * (n - 3))


def _own(grams: Tensor) -> Tensor:
    """HSIC_1 of each with itself: f64[L]."""
    return _hsic(grams, grams).diagonal().clone()
