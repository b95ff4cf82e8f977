"""Which anchors answer for which object: matching by shape, then by cell [YOLOv5].

An object matches an anchor when neither side differs by more than a factor. It is given to the cell
of its centre and, per axis, to the neighbour the centre leans to: up to three positives an anchor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from yolor_gp.ops.boxes import xyxy_to_cxcywh
from yolor_gp.structures.batch import Targets
from yolor_gp.structures.predictions import LevelPrediction
from yolor_gp.structures.tensors import to_device


@dataclass(frozen=True)
class Assignment:
    """The P positives of one level, each i64[P].

    image, anchor, row, column: which prediction; target: for which object of the `Targets`.
    """

    image: Tensor
    anchor: Tensor
    row: Tensor
    column: Tensor
    target: Tensor

    def __len__(self) -> int:
        return self.target.shape[0]

    def to(self, device: torch.device) -> Assignment:
        """The same positives on `device`."""
        return Assignment(*(to_device(getattr(self, field.name), device) for field in fields(self)))


# Own cell, then left, upper, right and lower neighbour: (column, row) of each.
_NEIGHBOURS = ((0, 0), (-1, 0), (0, -1), (1, 0), (0, 1))


def assign(
    levels: Sequence[LevelPrediction],
    targets: Targets,
    threshold: float,
    anchors: Sequence[Tensor] | None = None,
) -> list[Assignment]:
    """The positives of every level, ordered by neighbour, anchor, object; where `targets` are.

    An object of w x h px matches an anchor of aw x ah px when max(w/aw, aw/w, h/ah, ah/h) is below
    `threshold`. How many match depends on the objects, but not on what is predicted: with targets
    and `anchors` (those of the levels) on the host, nothing waits for the predictions' device.
    """
    known = [level.anchors for level in levels] if anchors is None else anchors
    candidates = [
        _candidates(level, sizes.to(targets.boxes), targets, threshold)
        for level, sizes in zip(levels, known, strict=True)
    ]
    found = torch.stack([valid for valid, _ in candidates]).nonzero()
    counts: list[int] = torch.bincount(found[:, 0], minlength=len(levels)).tolist()
    assignments = []
    for (_, cells), rows in zip(candidates, torch.split(found, counts), strict=True):
        _, neighbour, anchor, target = rows.unbind(dim=1)
        column, row = cells[neighbour, target].unbind(dim=1)
        assignments.append(Assignment(targets.image_index[target], anchor, row, column, target))
    return assignments


def _candidates(
    level: LevelPrediction, anchors: Tensor, targets: Targets, threshold: float
) -> tuple[Tensor, Tensor]:
    """What may become a positive: bool[5, A, T], and its cell i64[5, T, 2] (column, row)."""
    height, width = level.logits.shape[2:4]
    grid = torch.tensor((width, height), dtype=torch.float32, device=targets.boxes.device)
    boxes = xyxy_to_cxcywh(targets.boxes)
    centre, size = boxes[:, :2] / level.stride, boxes[:, 2:]

    ratio = size / anchors[:, None]
    matches = torch.maximum(ratio, 1 / ratio).amax(dim=2) < threshold

    # A centre leans to a side when it is less than half a cell from that side of its cell, and the
    # neighbour there must exist with room to spare: more than one cell to the border.
    # A coding that keeps centres inside their cells leaves the neighbours out.
    reach = min(level.coding.reach, 0.5)
    leans_back = (centre % 1 < reach) & (centre > 1)
    leans_on = ((grid - centre) % 1 < reach) & (grid - centre > 1)
    own = torch.ones_like(leans_back[:, :1])
    leans = torch.cat((own, leans_back, leans_on), dim=1).T

    shifts = torch.tensor(_NEIGHBOURS, device=centre.device)
    # Objects lie in the image, so the clamp only catches a centre exactly on the far border.
    cells = (centre.long() + shifts[:, None]).clamp(min=torch.zeros_like(grid), max=grid - 1).long()
    return matches & leans[:, None], cells
