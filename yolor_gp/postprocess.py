"""From raw predictions to detections: decode, threshold, non-maximum suppression."""

from __future__ import annotations

import torch
from torch import Tensor

from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.ops.anchor_decode import decode_level
from yolor_gp.ops.nms import Suppression, suppress
from yolor_gp.structures.detections import Detections, PrototypeMasks
from yolor_gp.structures.predictions import RawPredictions


@torch.no_grad()
def postprocess(
    raw: RawPredictions, config: ValidationConfig, *, class_agnostic: bool = False,
    classes: tuple[int, ...] | None = None,
) -> list[Detections]:
    """One `Detections` per image in the network's frame, masks as coefficients and prototypes.

    `classes`: keep these labels only; `class_agnostic`: boxes of different classes suppress one
    another. Everything is computed in float32, whatever the network's type.
    """
    raise NotImplementedError
