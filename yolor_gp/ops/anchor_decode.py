"""From an anchor head's numbers to boxes in pixels [YOLOv4, 3.4] [YOLOv5].

cx = (s sigmoid(tx) - (s - 1) / 2 + column) * stride with s = 2, w = (2 sigmoid(tw))^2 * anchor; cy
and h likewise. The older coding, s = 1 or a little more and w = exp(tw) * anchor, is [YOLOv3]'s.
A half-precision product of 459 px and a sigmoid is off by whole pixels, so everything is float32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from yolor_gp.ops.boxes import cxcywh_to_xyxy

_LARGEST = math.log(1000)
"""Of exp(tw): a box of a thousand anchors is none, and its gradient would be endless."""


@dataclass(frozen=True)
class BoxCoding:
    """scale_xy: how many cells a centre may move over; exponential: of the size, else squared."""

    scale_xy: float = 2.0
    exponential: bool = False

    @property
    def reach(self) -> float:
        """How far outside of its cell a centre may be, in cells."""
        return (self.scale_xy - 1) / 2


USUAL_CODING = BoxCoding()


def decode_boxes(
    logits: Tensor,
    cells: Tensor,
    anchors: Tensor,
    stride: float,
    coding: BoxCoding = USUAL_CODING,
) -> Tensor:
    """Boxes f32[..., 4], xyxy, in the unit of `anchors` and `stride`.

    logits: [..., 4] of tx ty tw th, any floating type; cells: [..., 2] column and row;
    anchors: [..., 2] width and height. Pixels for anchors in pixels; grid units for anchors
    divided by the stride and a stride of 1.
    """
    activation = logits.float().sigmoid()
    centre = (activation[..., :2] * coding.scale_xy - coding.reach + cells) * stride
    if coding.exponential:
        size = logits[..., 2:4].float().clamp(max=_LARGEST).exp() * anchors
    else:
        size = (activation[..., 2:4] * 2) ** 2 * anchors
    return cxcywh_to_xyxy(torch.cat((centre, size), dim=-1))


def grid_cells(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Column and row of every cell: f32[height, width, 2]."""
    rows = torch.arange(height, dtype=torch.float32, device=device)
    columns = torch.arange(width, dtype=torch.float32, device=device)
    row, column = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack((column, row), dim=-1)


def decode_level(
    logits: Tensor, anchors: Tensor, stride: int, coding: BoxCoding = USUAL_CODING
) -> Tensor:
    """All boxes of one level: [B, A, h, w, >= 4], [A, 2] -> f32[B, A, h, w, 4], xyxy pixels."""
    cells = grid_cells(logits.shape[2], logits.shape[3], logits.device)
    return decode_boxes(logits[..., :4], cells, anchors.float()[:, None, None], stride, coding)
