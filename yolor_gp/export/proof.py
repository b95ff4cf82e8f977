"""That an exported file does what the network does: outputs, average precision and time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from yolor_gp.config.data_config import load_data_config
from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.data.datasets import open_dataset
from yolor_gp.data.shapes.scene import draw_scene
from yolor_gp.detection.postprocess import postprocess
from yolor_gp.export.exported import ExportedNetwork
from yolor_gp.export.formats import Array
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.ops.image_size import AnySize, ImageSize
from yolor_gp.ops.letterbox import evaluation_letterbox, place
from yolor_gp.structures.detections import Detections, PrototypeMasks

SURE = 0.05
"""Boxes and coefficients are compared where some score reaches this: nobody looks at the others."""


@dataclass(frozen=True)
class Differences:
    """The largest differences of outputs: boxes in pixels, scores and masks as they are.

    Masks are logits where the graph gives every box, else probabilities. Of kept boxes also how
    many there are, and how many only one side has.
    """

    boxes: float
    scores: float
    masks: float | None
    detections: int | None = None
    lost: int = 0

    @property
    def largest(self) -> float:
        """Of all."""
        return max(self.boxes, self.scores, self.masks or 0.0)

    def __str__(self) -> str:
        kind = "masks' logits" if self.detections is None else "masks"
        masks = "" if self.masks is None else f", {kind} {self.masks:.2g}"
        words = f"boxes {self.boxes:.2g} px, scores {self.scores:.2g}{masks}"
        if self.detections is None:
            return words
        return f"{words}; of {self.detections} detections {self.lost} in one of them only"


def pictures(data: str | Path | None, image_size: AnySize, count: int) -> Iterator[Array]:
    """Letterboxed pictures f32[1, 3, height, width]: of the validation set, or built-in scenes.

    Yields:
        `count` of them, or all there are.
    """
    size = ImageSize.of(image_size)
    if data is None:
        chance = np.random.default_rng(0)
        found = (draw_scene(chance, max(size), 8).image for _ in range(count))
    else:
        dataset = open_dataset(load_data_config(data), "val", image_size=size)
        step = max(len(dataset) // count, 1)
        found = (dataset.read_original(index) for index in range(0, len(dataset), step))
    for _, image in zip(range(count), found, strict=False):
        placed = place(image, evaluation_letterbox((image.shape[0], image.shape[1]), size))
        yield (placed.transpose(2, 0, 1)[None] / np.float32(255)).astype(np.float32)


@torch.no_grad()
def compare(graph: nn.Module, exported: nn.Module, images: Sequence[Array]) -> Differences:
    """The largest differences over some pictures."""
    boxes, scores, masks = [0.0], [0.0], [0.0]
    for image in images:
        given = torch.from_numpy(image)
        ours, theirs = graph(given), exported(given)
        sure = ours[1].amax(dim=2) > SURE
        scores.append(_largest(ours[1], theirs[1]))
        boxes.append(_largest(ours[0][sure], theirs[0][sure]))
        if len(ours) > 2:
            logits = [
                torch.einsum("nk,khw->nhw", found[2][sure][:100], found[3][0])
                for found in (ours, theirs)
            ]
            masks.append(_largest(*logits))
    return Differences(max(boxes), max(scores), max(masks) if len(ours) > 2 else None)


@torch.no_grad()
def compare_kept(
    network: DetectionNetwork,
    exported: ExportedNetwork,
    images: Sequence[Array],
    config: ValidationConfig,
) -> Differences:
    """The largest differences of detections, each with the nearest of its class.

    Of `network` with this project's suppression, and of a file that has it inside.
    """
    boxes, scores, masks, count, lost = [0.0], [0.0], [0.0], 0, 0
    for image in images:
        given = torch.from_numpy(image)
        ours, theirs = (kept(one, given, config)[0] for one in (network, exported))
        first, second = _pairs(ours, theirs)
        count, lost = count + len(ours), lost + len(ours) + len(theirs) - 2 * len(first)
        scores.append(_largest(ours.scores[first], theirs.scores[second]))
        sure = ours.scores[first] > SURE
        boxes.append(_largest(ours.boxes[first][sure], theirs.boxes[second][sure]))
        if isinstance(ours.masks, PrototypeMasks) and isinstance(theirs.masks, PrototypeMasks):
            drawn = ours.masks.select(first), theirs.masks.select(second)
            masks.append(_largest(*(_probabilities(part) for part in drawn)))
    largest = max(masks) if network.has_masks else None
    return Differences(max(boxes), max(scores), largest, count, lost)


@torch.no_grad()
def kept(
    network: DetectionNetwork | ExportedNetwork, images: Tensor, config: ValidationConfig
) -> list[Detections]:
    """The detections in letterboxed pictures f32[B, 3, H, W], in their frame."""
    head, predictions = network.head, network(images)
    return postprocess(head.candidates(predictions, config.confidence), config)


def _pairs(ours: Detections, theirs: Detections) -> tuple[Tensor, Tensor]:
    """Indices of detections of one class that are one another's nearest, within a pixel."""
    apart = (ours.boxes[:, None] - theirs.boxes).abs().amax(dim=2)
    apart[ours.labels[:, None] != theirs.labels] = torch.inf
    if not apart.numel():
        none = torch.zeros(0, dtype=torch.int64)
        return none, none
    nearest = (apart == apart.amin(1, keepdim=True)) & (apart == apart.amin(0, keepdim=True))
    first, second = (nearest & (apart < 1)).nonzero(as_tuple=True)
    return first, second


def _probabilities(masks: PrototypeMasks) -> Tensor:
    return torch.einsum("nk,khw->nhw", masks.coefficients, masks.prototypes).sigmoid()


def _largest(first: torch.Tensor, second: torch.Tensor) -> float:
    return float((first - second).abs().max()) if first.numel() else 0.0


@torch.no_grad()
def latencies(
    ours: Callable[[], object], theirs: Callable[[], object], repeats: int = 30
) -> tuple[float, float]:
    """Milliseconds of both, medians of interleaved repeats."""
    times: list[list[float]] = [[], []]
    for repeat in range(repeats + 3):
        for work, taken in zip((ours, theirs), times, strict=True):
            began = time.perf_counter()
            work()
            if repeat >= 3:
                taken.append(1000 * (time.perf_counter() - began))
    first, second = (statistics.median(taken) for taken in times)
    return first, second
