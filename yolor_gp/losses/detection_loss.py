"""The detection loss."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from yolor_gp.config.train_config import LossConfig
from yolor_gp.structures.batch import Targets
from yolor_gp.structures.predictions import LossParts, RawPredictions


class DetectionLoss(nn.Module):
    """Box, objectness, class and mask losses of one step."""

    def __init__(
        self,
        config: LossConfig,
        *,
        num_classes: int,
        image_size: int,
        reduce_counts: Callable[[Tensor], Tensor] | None = None,
        world_size: int = 1,
    ) -> None:
        super().__init__()

    def forward(self, raw: RawPredictions, targets: Targets) -> LossParts:
        """Loss."""
        raise NotImplementedError
