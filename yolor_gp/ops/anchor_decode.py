"""From an anchor head's numbers to boxes in pixels [YOLOv4, 3.4] [YOLOv5].

cx = (2 sigmoid(tx) - 0.5 + column) * stride, w = (2 sigmoid(tw))^2 * anchor; cy and h likewise.
A half-precision product of 459 px and a sigmoid is off by whole pixels, so everything is float32.
"""

from __future__ import annotations

import torch
from torch import Tensor

from yolor_gp.ops.boxes import cxcywh_to_xyxy


def decode_boxes(logits: Tensor, cells: Tensor, anchors: Tensor, stride: float) -> Tensor:
    """Boxes f32[..., 4], xyxy, in the unit of `anchors` and `stride`.

    logits: [..., 4] of tx ty tw th, any floating type; cells: [..., 2] column and row;
    anchors: [..., 2] width and height. Pixels for anchors in pixels; grid units for anchors
    divided by the stride and a stride of 1.
    """
    activation = logits.float().sigmoid()
    centre = (activation[..., :2] * 2 - 0.5 + cells) * stride
    size = (activation[..., 2:4] * 2) ** 2 * anchors
    return cxcywh_to_xyxy(torch.cat((centre, size), dim=-1))


def grid_cells(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Column and row of every cell: f32[height, width, 2]."""
    rows = torch.arange(height, dtype=torch.float32, device=device)
    columns = torch.arange(width, dtype=torch.float32, device=device)
    row, column = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack((column, row), dim=-1)


def decode_level(logits: Tensor, anchors: Tensor, stride: int) -> Tensor:
    """All boxes of one level: [B, A, h, w, >= 4], [A, 2] -> f32[B, A, h, w, 4], xyxy pixels."""
    cells = grid_cells(logits.shape[2], logits.shape[3], logits.device)
    return decode_boxes(logits[..., :4], cells, anchors.float()[:, None, None], stride)
