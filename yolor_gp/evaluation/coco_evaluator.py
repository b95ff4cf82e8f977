"""The one evaluator: COCO average precision of boxes and masks.

evaluator = CocoEvaluator(dataset.ground_truth(), with_masks=True)
for image_id, detections in ...:
    evaluator.process(image_id, detections)
evaluator.merge(gathered states of all processes)
print(evaluator.evaluate().bbox["AP"])
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from yolor_gp.errors import UserError
from yolor_gp.evaluation.coco_backends import Accumulated, Backend, Kind, accumulate
from yolor_gp.evaluation.coco_format import (
    ImageResult,
    image_result,
    prepare_truth,
    result_rows,
)
from yolor_gp.structures.detections import Detections
from yolor_gp.structures.eval_result import FIGURE_NAMES, CocoFigures, EvalResult
from yolor_gp.structures.ground_truth import GroundTruth

State: TypeAlias = tuple[ImageResult, ...]


class CocoEvaluator:
    """Gathers detections image by image and compares them with the truth at the end.

    "hotcoco" is fast, "pycocotools" is the canonical implementation; their figures are identical
    and follow pycocotools' protocol: 100 detections an image and class, crowds ignored. Only boxes,
    scores and RLEs are kept of what is processed.
    """

    def __init__(
        self, truth: GroundTruth, *, with_masks: bool, backend: Backend = "hotcoco"
    ) -> None:
        self.truth = truth
        self.with_masks = with_masks
        self.backend = backend
        self._images: dict[int, ImageResult] = {}
        self.accumulated: dict[Kind, Accumulated] = {}
        """After `evaluate`: all that the backend found, its own table among it."""

    def reset(self) -> None:
        """Forget all processed images."""
        self._images.clear()
        self.accumulated.clear()

    def process(self, image_id: int, detections: Detections) -> None:
        """Add an image's detections, in original pixels; an image met again replaces itself.

        Raises:
            ValueError: When the truth has no category for a label, or masks are expected and
                missing.
        """
        labels = len(self.truth.category_ids)
        if len(detections) and not 0 <= int(detections.labels.max()) < labels:
            raise ValueError(
                f"image {image_id}: expected labels below {labels} (the data set's classes), "
                f"got {int(detections.labels.max())}"
            )
        self._images[int(image_id)] = image_result(image_id, detections, with_masks=self.with_masks)

    def state(self) -> State:
        """What this process has gathered; picklable."""
        return tuple(self._images.values())

    def merge(self, states: Iterable[State]) -> None:
        """Go on with the union of `states`, one per process (this one's included).

        Each image counts once, also when a sampler dealt it to two processes.
        """
        merged = {result.image_id: result for state in states for result in state}
        self._images = dict(sorted(merged.items()))

    def images(self) -> tuple[ImageResult, ...]:
        """What was gathered, by image id."""
        return tuple(result for _, result in sorted(self._images.items()))

    def results(self) -> list[dict[str, Any]]:
        """All detections in the COCO results format, ready for `json.dump`."""
        rows = (result_rows(result, self.truth.category_ids) for result in self.images())
        return [row for image in rows for row in image]

    def evaluate(self) -> EvalResult:
        """The twelve figures and the AP of every class; images without detections count as missed.

        Figures without any truth are -1, as pycocotools has it.

        Raises:
            UserError: When there are detections of images that the truth does not know.
        """
        known = {image["id"] for image in self.coco["images"]}
        strangers = sorted(self._images.keys() - known)
        if strangers:
            raise UserError(
                f"{len(strangers)} evaluated images (first: id {strangers[0]}) are not in the "
                "annotations; evaluate the split that the annotations describe"
            )
        bbox = self._figures("bbox")
        return EvalResult(bbox, self._figures("segm") if self.with_masks else None)

    @cached_property
    def coco(self) -> dict[str, Any]:
        """The truth as the backends take it, loaded at first need."""
        return prepare_truth(self.truth.load(), with_masks=self.with_masks)

    def precision_over_recall(self) -> dict[str, NDArray[np.float64]]:
        """After `evaluate`, of the boxes of each class: see `Accumulated.precision_over_recall`."""
        classes = zip(self.truth.names, self.truth.category_ids, strict=True)
        found = self.accumulated["bbox"]
        return {name: found.precision_over_recall(category) for name, category in classes}

    def _figures(self, kind: Kind) -> CocoFigures:
        found: Accumulated = accumulate(
            self.coco, self.images(), self.truth.category_ids, kind, self.backend
        )
        self.accumulated[kind] = found
        figures = dict(zip(FIGURE_NAMES, map(float, found.stats), strict=True))
        classes = zip(self.truth.names, self.truth.category_ids, strict=True)
        return CocoFigures(
            figures, {name: found.average_precision(category) for name, category in classes}
        )
