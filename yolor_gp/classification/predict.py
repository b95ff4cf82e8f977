"""The scores of every class for images of any size, by the same look as in validation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from yolor_gp.classification.augment import applied, validation_transform
from yolor_gp.engine.precision import choose_detection_precision, to_float32
from yolor_gp.models.network import ClassifierNetwork


class ClassPredictor:
    """A classifier, ready to be given images.

    size: side of the square input in pixels; crop: side of the middle that is looked at, as a share
    of the shorter side; precision: as `--precision`.
    """

    def __init__(
        self,
        network: ClassifierNetwork,
        size: int,
        device: torch.device,
        *,
        crop: float = 1.0,
        precision: str = "auto",
    ) -> None:
        self._precision = choose_detection_precision(precision, device)
        self._network, self._device = network.eval(), device
        self._precision.prepare(network)
        self._transform = validation_transform(size, crop)

    @torch.no_grad()
    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> Tensor:
        """B u8[H, W, 3] RGB images of any sizes -> f32[B, C], each row adds up to 1."""
        batch = torch.stack([applied(self._transform, image) for image in images])
        with self._precision.autocast():
            logits = self._network(self._precision.images(batch, self._device))
        scores: Tensor = to_float32(logits).softmax(1)
        return scores.cpu()
