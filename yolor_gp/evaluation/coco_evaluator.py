"""The one evaluator: COCO average precision of boxes and masks."""

from __future__ import annotations

from typing import Any, Literal

from yolor_gp.structures.detections import Detections
from yolor_gp.structures.eval_result import EvalResult
from yolor_gp.structures.ground_truth import GroundTruth


class CocoEvaluator:
    """reset, process every image, evaluate (signature first; the body follows)."""

    def __init__(
        self,
        truth: GroundTruth,
        *,
        with_masks: bool,
        backend: Literal["hotcoco", "pycocotools"] = "hotcoco",
    ) -> None: ...

    def reset(self) -> None:
        """Forget all processed images."""
        raise NotImplementedError

    def process(self, image_id: int, detections: Detections) -> None:
        """Add one image's detections, in original pixels."""
        raise NotImplementedError

    def state(self) -> Any:
        """What this process has gathered, picklable."""
        raise NotImplementedError

    def merge(self, states: list[Any]) -> None:
        """Replace what was gathered by the union of `states` (own one included)."""
        raise NotImplementedError

    def results(self) -> list[dict[str, Any]]:
        """The COCO results format."""
        raise NotImplementedError

    def evaluate(self) -> EvalResult:
        """The twelve figures and the AP of every class."""
        raise NotImplementedError
