"""Detections in images of any size: the same letterbox, network and way back as in validation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.engine.inference import Inference
from yolor_gp.engine.precision import choose_detection_precision
from yolor_gp.ops.letterbox import evaluation_letterbox, place
from yolor_gp.structures.detections import Detections


class Predictor:
    """A network, ready to be given images.

    image_size: side of the square input in pixels; precision: as `--precision`; class_agnostic
    and classes: as in `postprocess`.
    """

    def __init__(
        self,
        network: nn.Module,
        image_size: int,
        config: ValidationConfig,
        device: torch.device,
        *,
        precision: str = "auto",
        class_agnostic: bool = False,
        classes: tuple[int, ...] | None = None,
    ) -> None:
        self._image_size, self._config = image_size, config
        self._inference = Inference.of(
            network,
            config,
            device,
            choose_detection_precision(precision, device),
            class_agnostic=class_agnostic,
            classes=classes,
        )

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """u8[H, W, 3] RGB images of any sizes -> their detections in their own pixels."""
        if not images:
            return []
        letterboxes = [evaluation_letterbox(image.shape[:2], self._image_size) for image in images]
        placed = [place(image, box) for image, box in zip(images, letterboxes, strict=True)]
        batch = torch.from_numpy(np.stack(placed).transpose(0, 3, 1, 2).copy())
        return [
            found.to_original(letterbox, self._config.mask_threshold)
            for found, letterbox in zip(self._inference(batch), letterboxes, strict=True)
        ]
