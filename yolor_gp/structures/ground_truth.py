"""What an evaluator compares detections with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class GroundTruth:
    """The truth of a data set in the COCO format, loaded only when the evaluator asks for it.

    category_ids: the category id of every label (label 0 first); names: likewise;
    load: returns the COCO dictionary {"images", "annotations", "categories"}, crowds included.
    """

    category_ids: tuple[int, ...]
    names: tuple[str, ...]
    load: Callable[[], dict[str, Any]]

    def __post_init__(self) -> None:
        if len(self.category_ids) != len(self.names):
            raise ValueError(
                f"GroundTruth: {len(self.category_ids)} category ids for {len(self.names)} names"
            )
