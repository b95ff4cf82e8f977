"""What each of two processes does in test_distributed: train, evaluate, then lose one of them."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tests.engine.tiny_task import CPU, tiny_config, tiny_task, train
from yolor_gp.commands.program import run
from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.detection.evaluate import evaluate
from yolor_gp.detection.inference import Inference
from yolor_gp.engine.checkpoints.checkpoint import read_checkpoint
from yolor_gp.engine.distributed.context import (
    DistributedContext,
    joined_context,
    per_rank_batch_size,
)
from yolor_gp.engine.precision import choose_precision
from yolor_gp.evaluation.coco_evaluator import CocoEvaluator
from yolor_gp.models.heads.anchor_head import anchor_candidates
from yolor_gp.ops.letterbox import evaluation_letterbox
from yolor_gp.structures.batch import Batch, Targets
from yolor_gp.structures.candidates import Candidates
from yolor_gp.structures.detections import BoxMasks
from yolor_gp.structures.ground_truth import GroundTruth
from yolor_gp.structures.predictions import LevelPrediction, RawPredictions
from yolor_gp.structures.sample import ImageMeta

IMAGES, SIZE = 7, 64


class FixedHead(nn.Module):
    """Decodes as an anchor head does."""

    def candidates(self, predictions: RawPredictions, confidence: float) -> Candidates:
        return anchor_candidates(predictions, confidence)


class FixedNetwork(nn.Module):
    """Detections that depend on the image alone: one anchor, two classes, masks."""

    def __init__(self) -> None:
        super().__init__()
        self.head = FixedHead()
        generator = torch.Generator().manual_seed(3)
        self.weight = nn.Parameter(torch.randn(9, 3, 16, 16, generator=generator) / 8)
        self.prototypes = nn.Parameter(torch.randn(2, 3, 4, 4, generator=generator))

    def forward(self, images: Tensor) -> RawPredictions:
        logits = nn.functional.conv2d(images, self.weight, stride=16)
        prototypes = nn.functional.conv2d(images, self.prototypes, stride=4)
        level = LevelPrediction(
            logits.permute(0, 2, 3, 1)[:, None], torch.tensor([[20.0, 20.0]]), 16
        )
        return RawPredictions((level,), prototypes, 2)


def image(index: int) -> Tensor:
    generator = torch.Generator().manual_seed(index)
    return torch.randint(0, 256, (3, SIZE, SIZE), generator=generator, dtype=torch.uint8)


def truth() -> GroundTruth:
    """What the network finds in each image, the odd boxes moved by a few pixels."""
    annotations: list[dict[str, Any]] = []
    for batch in batches(DistributedContext()):
        config, precision = ValidationConfig(confidence=0.2), choose_precision("float32", CPU)
        found = Inference.of(FixedNetwork(), config, CPU, precision)(batch.images)  # type: ignore[arg-type]
        for meta, detections in zip(batch.metas, found, strict=True):
            assert meta.letterbox is not None
            original = detections.to_original(meta.letterbox).select(torch.arange(3))
            assert isinstance(original.masks, BoxMasks)
            for row, rle in enumerate(original.masks.rle()):
                left, top, right, bottom = original.boxes[row].tolist()
                annotations.append(
                    {
                        "id": len(annotations) + 1, "image_id": meta.image_id, "iscrowd": 0,
                        "category_id": int(original.labels[row]) + 1, "segmentation": rle,
                        "area": (right - left) * (bottom - top),
                        "bbox": [left + row % 2 * 4, top, right - left, bottom - top],
                    }
                )  # fmt: skip
    images = [{"id": i + 1, "height": SIZE, "width": SIZE} for i in range(IMAGES)]
    categories = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    whole = {"images": images, "annotations": annotations, "categories": categories}
    return GroundTruth((1, 2), ("a", "b"), lambda: whole)


def batches(context: DistributedContext) -> list[Batch]:
    """The share of this process, two images a batch: 4 on the first of two, 3 on the other."""
    mine = list(range(context.rank, IMAGES, context.size))
    letterbox = evaluation_letterbox((SIZE, SIZE), SIZE)
    nothing = Targets(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4), torch.zeros(0).long())
    return [
        Batch(
            torch.stack([image(index) for index in part]),
            nothing,
            tuple(ImageMeta(i + 1, f"{i}.jpg", (SIZE, SIZE), letterbox) for i in part),
        )
        for part in (mine[start : start + 2] for start in range(0, len(mine), 2))
    ]


def figures(context: DistributedContext) -> dict[str, Any]:
    evaluator = CocoEvaluator(truth(), with_masks=True)
    config = ValidationConfig(confidence=0.01)
    result = evaluate(FixedNetwork(), batches(context), evaluator, config, CPU, context=context)  # type: ignore[arg-type]
    return result.to_json()


def trained_weights(context: DistributedContext, folder: Path) -> dict[str, Tensor]:
    """After 10 optimizer steps with accumulation, on a network without normalisation."""
    task = tiny_task(context, batch_size=4, steps=10, normalised=False)
    per_rank_batch_size(4, context)
    train(folder, tiny_config(epochs=2), task, context=context)
    context.barrier()
    weights: dict[str, Tensor] = read_checkpoint(folder / "weights" / "last.pt")["network"]
    return weights


def main(arguments: Sequence[str] | None) -> int:
    with joined_context("cpu", timeout=60, heartbeat=20) as context:
        return work(context)


def work(context: DistributedContext) -> int:
    folder = Path(sys.argv[1])
    trained_weights(context, folder / "two")
    if "train" in sys.argv:
        return 0
    found = figures(context)
    (folder / f"figures{context.rank}.json").write_text(json.dumps(found))
    if context.rank == 1:
        os._exit(9)  # as if killed
    start = time.monotonic()
    try:
        context.barrier()
    finally:
        (folder / "seconds.txt").write_text(str(time.monotonic() - start))
    return 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(main)
