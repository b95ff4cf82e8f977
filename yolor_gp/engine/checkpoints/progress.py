"""Where training stands: everything that changes and is neither a weight nor an optimizer."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Progress:
    """epoch, step: the next batch to train on; always the first one of an optimizer step.

    updates: optimizer steps taken; best_score, best_epoch: of the weights in `best.pt`;
    skipped_in_row: steps left out for non-finite numbers; sums, batches: losses of the epoch so
    far; history: one row per finished epoch; finished: training reached its end.
    """

    epoch: int = 0
    step: int = 0
    updates: int = 0
    best_score: float | None = None
    best_epoch: int = -1
    skipped: int = 0
    skipped_in_row: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    batches: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    finished: bool = False

    def add(self, parts: dict[str, float], batches: int) -> None:
        """Add the losses of one step, summed over its batches."""
        for name, value in parts.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.batches += batches

    def means(self) -> dict[str, float]:
        """Mean losses of the epoch so far."""
        return {name: total / max(self.batches, 1) for name, total in self.sums.items()}

    def end_epoch(self, row: dict[str, float]) -> None:
        """Go to the first batch of the next epoch."""
        self.history.append(row)
        self.epoch, self.step = self.epoch + 1, 0
        self.sums, self.batches = {}, 0

    def state_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @staticmethod
    def from_state(state: dict[str, Any]) -> Progress:
        """The inverse of `state_dict`."""
        return Progress(**copy.deepcopy(state))
