"""Inputs for the tests of the losses: golden cases, random ones, and plain references."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from yolor_gp.config.train_config import LossConfig
from yolor_gp.ops.boxes import cxcywh_to_xyxy
from yolor_gp.structures.batch import Targets
from yolor_gp.structures.predictions import LevelPrediction, RawPredictions

CASES = (
    "basic", "border", "empty_image", "focal", "label_smoothing", "no_targets", "single_class",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    raw: RawPredictions
    targets: Targets
    config: LossConfig
    image_size: int
    golden: Any = None

    @property
    def leaves(self) -> list[Tensor]:
        """What gradients are taken of."""
        prototypes = [] if self.raw.prototypes is None else [self.raw.prototypes]
        return [level.logits for level in self.raw.levels] + prototypes


def golden_case(folder: Path, name: str) -> Case:
    golden = np.load(folder / f"golden/loss_{name}.npz")
    classes, side = int(golden["nc"]), int(golden["img"])
    settings = json.loads(str(golden["hyp"]))
    anchors = torch.tensor(golden["anchors"]).float().view(3, 3, 2)
    levels = tuple(
        LevelPrediction(
            torch.tensor(golden[f"p{index}"]).requires_grad_(), anchors[index], int(stride)
        )
        for index, stride in enumerate(golden["strides"])
    )
    rows = torch.tensor(golden["targets"])
    boxes = cxcywh_to_xyxy(rows[:, 2:] * side)
    masks = torch.tensor(golden["masks"])
    config = LossConfig(
        box=settings["box"],
        # The golden gains are used as they are; ours are stated for 80 classes.
        classification=settings["cls"] * 80 / classes,
        objectness=settings["obj"],
        anchor_threshold=settings["anchor_t"],
        label_smoothing=settings["label_smoothing"],
        focal_gamma=settings["fl_gamma"],
    )
    raw = RawPredictions(levels, torch.tensor(golden["proto"]).requires_grad_(), classes)
    targets = Targets(rows[:, 0].long(), boxes, rows[:, 1].long(), masks)
    return Case(raw, targets, config, side, golden)


def random_case(
    objects: tuple[int, ...], *, classes: int = 3, coefficients: int = 4, seed: int = 0
) -> Case:
    """`objects` per image, on 64 x 96 px and two levels of two anchors."""
    generator = torch.Generator().manual_seed(seed)
    images, height, width = len(objects), 64, 96

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).requires_grad_()

    anchors = torch.tensor([[[12.0, 16], [30, 20]], [[40, 30], [60, 60]]])
    levels = tuple(
        LevelPrediction(
            normal(images, 2, height // stride, width // stride, 5 + classes + coefficients),
            anchors[index],
            stride,
        )
        for index, stride in enumerate((8, 16))
    )
    count = sum(objects)
    size = torch.rand(count, 2, generator=generator) * 30 + 8
    centre = torch.rand(count, 2, generator=generator) * torch.tensor([56.0, 24.0]) + 20
    index_map = torch.zeros(images, height // 4, width // 4, dtype=torch.uint8)
    for image, most in enumerate(objects):
        index_map[image] = torch.randint(
            0, most + 1, index_map.shape[1:], generator=generator, dtype=torch.uint8
        )
    targets = Targets(
        torch.repeat_interleave(torch.arange(images), torch.tensor(objects)),
        cxcywh_to_xyxy(torch.cat((centre, size), dim=1)),
        torch.randint(0, classes, (count,), generator=generator),
        index_map,
    )
    prototypes = normal(images, coefficients, height // 4, width // 4)
    return Case(RawPredictions(levels, prototypes, classes), targets, LossConfig(), 96)


def plain_mask_loss(
    coefficients: Tensor,
    prototypes: Tensor,
    index_map: Tensor,
    targets: Targets,
    target: Tensor,
    weight: Tensor,
    image_size: tuple[int, int],
) -> Tensor:
    """The definition, one positive at a time over the whole image."""
    total = coefficients.new_zeros(())
    rows, columns = index_map.shape[1:]
    scale = torch.tensor([columns / image_size[1], rows / image_size[0]] * 2)
    row, column = torch.arange(rows)[:, None], torch.arange(columns)
    for one, object_index, share in zip(coefficients, target, weight, strict=True):
        image = targets.image_index[object_index]
        instance = int((targets.image_index[:object_index] == image).sum()) + 1
        truth = (index_map[image] == instance).float()
        logits = torch.einsum("k,khw->hw", one, prototypes[image])
        loss = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
        x1, y1, x2, y2 = targets.boxes[object_index] * scale
        inside = (column >= x1) & (column < x2) & (row >= y1) & (row < y2)
        area = (x2 - x1) * (y2 - y1) / (rows * columns)
        total = total + share * (loss * inside).mean() / area
    return total
