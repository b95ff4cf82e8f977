"""Multi-scale training: whole batches resized, with their boxes and index maps."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F

from yolor_gp.structures.batch import MASK_STRIDE, Batch


def resize_batch(batch: Batch, factor: float, stride: int) -> Batch:
    """`batch` with both sides times about `factor`, rounded to multiples of `stride`."""
    height, width = batch.images.shape[2:]
    new_height, new_width = (_multiple(side * factor, stride) for side in (height, width))
    if (new_height, new_width) == (height, width):
        return batch
    images = F.interpolate(
        batch.images.float(), size=(new_height, new_width), mode="bilinear", align_corners=False
    )
    scale = torch.tensor([new_width / width, new_height / height] * 2, dtype=torch.float32)
    targets = batch.targets
    index_map = targets.index_map
    if index_map is not None:
        size = (new_height // MASK_STRIDE, new_width // MASK_STRIDE)
        resized = F.interpolate(index_map[:, None].float(), size=size, mode="nearest")
        index_map = resized[:, 0].to(index_map.dtype)
    targets = replace(targets, boxes=targets.boxes * scale, index_map=index_map)
    return replace(batch, images=images.round().to(torch.uint8), targets=targets)


def _multiple(length: float, stride: int) -> int:
    return max(round(length / stride), 1) * stride
