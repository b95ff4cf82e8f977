"""The only evaluation: in the training loop and in val.py, on one process or many."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import torch

from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.detection.inference import Inference
from yolor_gp.detection.stage_clock import StageClock
from yolor_gp.engine.distributed.context import DistributedContext
from yolor_gp.engine.precision import choose_validation_precision
from yolor_gp.engine.task import ValidationInterruptedError
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.structures.batch import Batch
from yolor_gp.structures.detections import Detections
from yolor_gp.structures.eval_result import EvalResult


class Evaluator(Protocol):
    """`evaluation.coco_evaluator.CocoEvaluator`, or anything that can do the same."""

    def reset(self) -> None: ...  # noqa: D102
    def process(self, image_id: int, detections: Detections, /) -> None: ...  # noqa: D102
    def state(self) -> Any: ...  # noqa: D102
    def merge(self, states: list[Any], /) -> None: ...  # noqa: D102
    def evaluate(self) -> EvalResult: ...  # noqa: D102


Show = Callable[[Batch, list[Detections]], None]
"""Given a batch and its detections in the frame of the batch."""


def evaluate(
    network: DetectionNetwork,
    loader: Iterable[Batch],
    evaluator: Evaluator,
    config: ValidationConfig,
    device: torch.device,
    *,
    precision: str = "auto",
    context: DistributedContext | None = None,
    must_stop: Callable[[], bool] = lambda: False,
    show: Show | None = None,
    clock: StageClock | None = None,
) -> EvalResult:
    """The figures of `network` over the images of all processes' loaders, on every process.

    The evaluator of the first process has seen every image afterwards (for its results()).

    Raises:
        ValidationInterruptedError: When `must_stop()` says so between batches.
        ValueError: When the loader's images are not letterboxed.
    """
    context = context or DistributedContext()
    chosen = choose_validation_precision(precision, device)
    clock = clock or StageClock()
    inference = Inference.of(network, config, device, chosen, clock=clock)
    evaluator.reset()
    for batch in clock.waiting(loader, "load"):
        if must_stop():
            raise ValidationInterruptedError
        detections = inference(batch.images)
        with clock.stage("masks and boxes"):
            for meta, found in zip(batch.metas, detections, strict=True):
                if meta.letterbox is None:
                    raise ValueError(f"{meta.path}: validation images must be letterboxed")
                original = found.to_original(meta.letterbox, config.mask_threshold)
                evaluator.process(meta.image_id, original)
        if show is not None:
            show(batch, detections)
    states = context.gather_to_main(evaluator.state())
    result = None
    if states is not None:
        with clock.stage("evaluation"):
            evaluator.merge(states)
            result = evaluator.evaluate()
    result = context.broadcast(result)
    assert result is not None
    return result
