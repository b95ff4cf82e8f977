"""A head without anchors: every cell near an object's centre says how far the box's sides are.

After FCOS (1904.01355) and YOLOX (2107.08430), in their simplest form. In a model file:

    head:
      - {block: AnchorFreeHead, num_classes: nc, from: [p3, p4, p5]}
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from yolor_gp.config.train_config import LossConfig
from yolor_gp.losses.box_loss import find_box_iou
from yolor_gp.models.blocks.registry import Width, register
from yolor_gp.models.heads.detection_head import DetectionCriterion, DetectionHead
from yolor_gp.ops.anchor_decode import grid_cells
from yolor_gp.ops.image_size import ImageSize
from yolor_gp.structures.batch import Targets
from yolor_gp.structures.candidates import Candidates
from yolor_gp.structures.predictions import LossParts

NEAR = 1.5
"""Cells whose centre is at most so many cells from an object's centre answer for it."""


@dataclass(frozen=True)
class Cells:
    """N cells of all levels in a row.

    Attributes:
        logits: [B, N, 5 + C]: left, top, right, bottom, objectness, classes.
        centres: f32[N, 2], x and y in pixels; strides: f32[N].
        image_size: (height, width) in pixels.
    """

    logits: Tensor
    centres: Tensor
    strides: Tensor
    image_size: tuple[int, int]

    @property
    def boxes(self) -> Tensor:
        """f32[B, N, 4] xyxy pixels; distances are exponentials, in strides."""
        reach = self.logits[..., :4].float().clamp(max=6).exp() * self.strides[:, None]
        return torch.cat((self.centres - reach[..., :2], self.centres + reach[..., 2:]), dim=-1)


@register("AnchorFreeHead")
class AnchorFreeHead(DetectionHead):
    """Levels of [B, Ci, h, w] -> [B, 5 + C, h, w] each."""

    widths: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, in_channels: tuple[int, ...], strides: tuple[int, ...], num_classes: Width
    ) -> None:
        super().__init__()
        self.num_classes, self.strides = num_classes, strides
        self.out_channels = 5 + num_classes
        self.levels = nn.ModuleList(nn.Conv2d(width, self.out_channels, 1) for width in in_channels)
        for level in self.levels:
            nn.init.constant_(cast(Tensor, level.bias)[4:], -4.0)  # objects are rare at first

    def forward(self, inputs: list[Tensor]) -> tuple[Tensor, ...]:
        """A map for each level."""
        return tuple(level(x) for level, x in zip(self.levels, inputs, strict=True))

    def predictions(self, output: tuple[Tensor, ...]) -> Cells:
        """All cells in a row."""
        logits = torch.cat([level.flatten(2).transpose(1, 2) for level in output], dim=1)
        centres, strides = [], []
        for level, stride in zip(output, self.strides, strict=True):
            grid = grid_cells(level.shape[2], level.shape[3], level.device).reshape(-1, 2)
            centres.append((grid + 0.5) * stride)
            strides.append(grid.new_full((len(grid),), stride))
        height, width = (side * self.strides[0] for side in output[0].shape[2:])
        return Cells(logits, torch.cat(centres), torch.cat(strides), (height, width))

    def candidates(self, predictions: Cells, confidence: float) -> Candidates:
        """The cells whose objectness exceeds `confidence`."""
        image, cell = (predictions.logits[..., 4].sigmoid() > confidence).nonzero(as_tuple=True)
        return Candidates(
            images=len(predictions.logits),
            image_size=predictions.image_size,
            image=image,
            boxes=predictions.boxes[image, cell],
            values=predictions.logits[image, cell, 4:].sigmoid(),
            num_classes=self.num_classes,
        )

    def decoded(self, output: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """All boxes and scores, for other runtimes."""
        cells = self.predictions(output)
        return cells.boxes, cells.logits[..., 4:5].sigmoid() * cells.logits[..., 5:].sigmoid()

    def criterion(
        self,
        config: LossConfig,
        *,
        image_size: ImageSize,
        reduce_counts: Callable[[Tensor], Tensor] | None,
        world_size: int,
    ) -> DetectionCriterion:
        """Every part is divided by the number of positives over all processes."""
        measure = find_box_iou(config.box_iou)

        def loss(cells: Cells, targets: Targets) -> LossParts:
            there = targets.to(cells.logits.device)
            image, cell, target = _positives(cells, there)
            count = cells.logits.new_tensor([float(len(image))])
            if reduce_counts is not None:
                count = reduce_counts(count) / world_size
            count = count.clamp(min=1)[0]
            overlaps = measure(cells.boxes[image, cell], there.boxes[target])
            wanted = torch.zeros_like(cells.logits[..., 4])
            wanted[image, cell] = overlaps.detach().clamp(min=0)
            classes = cells.logits[image, cell, 5:]
            truth = torch.zeros_like(classes).scatter_(1, there.labels[target][:, None], 1.0)
            box = (1 - overlaps).sum() / count
            objectness = _cross_entropy(cells.logits[..., 4], wanted) / count
            classification = _cross_entropy(classes, truth) / count
            total = (box + objectness + classification) * len(cells.logits) * world_size
            none = box.detach() * 0
            return LossParts(
                box.detach(), objectness.detach(), classification.detach(), none, total
            )

        return cast(DetectionCriterion, loss)


def _cross_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    return binary_cross_entropy_with_logits(logits, truth, reduction="sum")


def _positives(cells: Cells, targets: Targets) -> tuple[Tensor, Tensor, Tensor]:
    """Image, cell and object of each pair, i64[P]: the level fits the size, the cell is near.

    A cell that several objects want takes the smallest.
    """
    boxes = targets.boxes
    centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2])
    away = (cells.centres[None] - centre[:, None]).abs().amax(dim=2) / cells.strides  # [T, N]
    largest = size.amax(dim=1)
    choices = torch.unique(cells.strides)
    wanted = choices[(largest[:, None] / 8 - choices).abs().argmin(dim=1)]  # about 8 cells long
    fits = (away < NEAR) & (cells.strides[None] == wanted[:, None])
    target, cell = fits.nonzero(as_tuple=True)
    order = size.prod(dim=1)[target].argsort(descending=True)
    target, cell = target[order], cell[order]
    image: Tensor = targets.image_index[target]
    owner: dict[tuple[int, int], int] = {}
    for position, key in enumerate(zip(image.tolist(), cell.tolist(), strict=True)):
        owner[key] = position
    kept = torch.tensor(list(owner.values()), dtype=torch.int64, device=target.device)
    return image[kept], cell[kept], target[kept]
