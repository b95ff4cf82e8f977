"""What every detection network returns, and what every detection loss returns."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from yolor_gp.ops.anchor_decode import USUAL_CODING, BoxCoding
from yolor_gp.structures.tensors import check_tensor


@dataclass(frozen=True)
class LevelPrediction:
    """The raw output of one pyramid level.

    logits: [B, A, h, w, 5 + C + K]: tx ty tw th, objectness, C classes, K mask coefficients;
    anchors: f32[A, 2] width, height in input pixels; stride: input pixels per cell; coding: of
    boxes.
    """

    logits: Tensor
    anchors: Tensor
    stride: int
    coding: BoxCoding = USUAL_CODING

    def __post_init__(self) -> None:
        check_tensor("LevelPrediction.logits", self.logits, (None,) * 5)
        check_tensor("LevelPrediction.anchors", self.anchors, (self.logits.shape[1], 2))


@dataclass(frozen=True)
class RawPredictions:
    """Levels from fine to coarse (P3, P4, P5); prototypes [B, K, H/4, W/4], None without masks.

    num_classes: C; the number of mask coefficients K is 0 without prototypes.
    """

    levels: tuple[LevelPrediction, ...]
    prototypes: Tensor | None
    num_classes: int

    def __post_init__(self) -> None:
        channels = 5 + self.num_classes + self.num_coefficients
        for level in self.levels:
            expected = (None, None, None, None, channels)
            check_tensor("RawPredictions.levels[].logits", level.logits, expected)

    @property
    def num_coefficients(self) -> int:
        """K, the number of mask coefficients per anchor."""
        return 0 if self.prototypes is None else self.prototypes.shape[1]


@dataclass(frozen=True)
class LossParts:
    """Scalars: the parts after their gains, and `total`, the one to differentiate."""

    box: Tensor
    objectness: Tensor
    classification: Tensor
    mask: Tensor
    total: Tensor
