"""The only evaluation: in the training loop and in val.py, on one process or many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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


Found = tuple[int, Detections]
"""The id of an image and what was found in it, in its own pixels."""

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
    chosen = choose_validation_precision(precision, device)
    clock = clock or StageClock()
    inference = Inference.of(network, config, device, chosen, clock=clock)

    def found() -> Iterator[Found]:
        for batch in clock.waiting(loader, "load"):
            if must_stop():
                raise ValidationInterruptedError
            detections = inference(batch.images)
            for meta, some in zip(batch.metas, detections, strict=True):
                if meta.letterbox is None:
                    raise ValueError(f"{meta.path}: validation images must be letterboxed")
                with clock.stage("masks and boxes"):
                    original = some.to_original(meta.letterbox, config.mask_threshold)
                yield meta.image_id, original
            if show is not None:
                show(batch, detections)

    return figures(found(), evaluator, context or DistributedContext(), clock)


def figures(
    found: Iterable[Found], evaluator: Evaluator, context: DistributedContext, clock: StageClock
) -> EvalResult:
    """The figures of what all processes find in their images, on every process."""
    evaluator.reset()
    for image_id, detections in found:
        with clock.stage("masks and boxes"):
            evaluator.process(image_id, detections)
    states = context.gather_to_main(evaluator.state())
    result = None
    if states is not None:
        with clock.stage("evaluation"):
            evaluator.merge(states)
            result = evaluator.evaluate()
    result = context.broadcast(result)
    assert result is not None
    return result
