"""That an exported file does what the network does: outputs, average precision and time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from yolor_gp.config.data_config import load_data_config
from yolor_gp.data.datasets import open_dataset
from yolor_gp.data.shapes.scene import draw_scene
from yolor_gp.export.exported import ExportedNetwork
from yolor_gp.export.formats import Array
from yolor_gp.export.graph import ExportGraph
from yolor_gp.ops.image_size import AnySize, ImageSize
from yolor_gp.ops.letterbox import evaluation_letterbox, place

SURE = 0.05
"""Boxes and coefficients are compared where some score reaches this: nobody looks at the others."""


@dataclass(frozen=True)
class Differences:
    """The largest differences of outputs: boxes in pixels, scores and masks' logits as they are."""

    boxes: float
    scores: float
    masks: float | None

    def __str__(self) -> str:
        masks = "" if self.masks is None else f", masks' logits {self.masks:.2g}"
        return f"boxes {self.boxes:.2g} px, scores {self.scores:.2g}{masks}"


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
def compare(graph: ExportGraph, exported: ExportedNetwork, images: Sequence[Array]) -> Differences:
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
    has_masks = len(graph.outputs) > 2
    return Differences(max(boxes), max(scores), max(masks) if has_masks else None)


def _largest(first: torch.Tensor, second: torch.Tensor) -> float:
    return float((first - second).abs().max()) if first.numel() else 0.0


@torch.no_grad()
def latencies(
    graph: ExportGraph, exported: ExportedNetwork, image: Array, repeats: int = 30
) -> tuple[float, float]:
    """Milliseconds of one picture through both, medians of interleaved repeats."""
    given = torch.from_numpy(image)
    works: list[Callable[[], object]] = [lambda: graph(given), lambda: exported(given)]
    times: list[list[float]] = [[], []]
    for repeat in range(repeats + 3):
        for work, taken in zip(works, times, strict=True):
            began = time.perf_counter()
            work()
            if repeat >= 3:
                taken.append(1000 * (time.perf_counter() - began))
    ours, theirs = (statistics.median(taken) for taken in times)
    return ours, theirs
