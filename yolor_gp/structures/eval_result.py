"""The figures of an evaluation: pycocotools' twelve, for boxes and for masks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

FIGURE_NAMES = (
    "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
)  # fmt: skip
"""pycocotools' `stats`, in its order."""


@dataclass(frozen=True)
class CocoFigures:
    """figures: by the names above, in 0..1, -1 where there is no truth; per_class: name -> AP."""

    figures: dict[str, float]
    per_class: dict[str, float]

    def __getitem__(self, name: str) -> float:
        return self.figures[name]


@dataclass(frozen=True)
class EvalResult:
    """bbox: figures of the boxes; segm: of the masks, None where the network draws none."""

    bbox: CocoFigures
    segm: CocoFigures | None

    def to_json(self) -> dict[str, Any]:
        """{"bbox": {"AP": ..., "per_class": {...}}, "segm": {...}}."""
        parts = {"bbox": self.bbox, "segm": self.segm}
        return {
            name: {**part.figures, "per_class": asdict(part)["per_class"]}
            for name, part in parts.items()
            if part is not None
        }
