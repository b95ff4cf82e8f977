"""The figures of an evaluation: pycocotools' twelve, for boxes and for masks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

FIGURE_NAMES = (
    "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
)  # fmt: skip
"""pycocotools' `stats`, in its order."""

COLUMNS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR100")
"""The figures that tables and logs show."""


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

    @property
    def parts(self) -> dict[str, CocoFigures]:
        """What there is, as people call it: "box", and "mask" where masks are drawn."""
        parts = {"box": self.bbox, "mask": self.segm}
        return {name: part for name, part in parts.items() if part is not None}

    @property
    def score(self) -> float:
        """What decides which weights are kept: the mean of box AP and, where drawn, mask AP."""
        return sum(part["AP"] for part in self.parts.values()) / len(self.parts)

    def named(self) -> dict[str, float]:
        """{"box AP": ..., "mask AP": ..., "box AP50": ...}: for logs, the most looked at first."""
        parts = self.parts
        return {f"{name} {key}": part[key] for key in COLUMNS for name, part in parts.items()}

    def table(self) -> str:
        """APbox and APmask with their kin, a line each, in percent as papers print them."""
        lines = ["      " + "".join(f"{name:>8}" for name in COLUMNS)]
        for title, part in self.parts.items():
            lines.append(f"{title:<6}" + "".join(f"{_percent(part[name]):>8}" for name in COLUMNS))
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.table()

    def to_json(self) -> dict[str, Any]:
        """{"bbox": {"AP": ..., "per_class": {...}}, "segm": {...}}."""
        parts = {"bbox": self.bbox, "segm": self.segm}
        return {
            name: {**part.figures, "per_class": asdict(part)["per_class"]}
            for name, part in parts.items()
            if part is not None
        }


def _percent(value: float) -> str:
    return "-" if value < 0 else f"{100 * value:.1f}"
