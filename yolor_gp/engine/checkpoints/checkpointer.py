"""What a run keeps on disk: everything to go on from, and averaged weights to use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yolor_gp.engine.checkpoints.checkpoint import State, save_checkpoint
from yolor_gp.engine.checkpoints.reproducible import capture_random_state, restore_random_state
from yolor_gp.engine.distributed.context import DistributedContext
from yolor_gp.engine.step import StepReport
from yolor_gp.engine.task import Evaluation
from yolor_gp.engine.training_state import TrainingState
from yolor_gp.files import write_json

TRAINING, WEIGHTS = "training", "weights"
"""Kinds of checkpoint: everything, to go on training; or the averaged weights, to use."""

LAST, BEST = "last.pt", "best.pt"


@dataclass(frozen=True)
class Checkpointer:
    """Every process calls it, the first one writes.

    Attributes:
        state: What is kept.
        context: The processes of the run.
        folder: `weights/` of the run.
        config: The resolved configuration, as plain values.
    """

    state: TrainingState
    context: DistributedContext
    folder: Path
    config: Mapping[str, Any]

    def save_last(self) -> None:
        """Write everything to `last.pt`; the one before stays as `last.previous.pt`."""
        random = self.context.gather(capture_random_state())
        if self.context.is_main:
            content = {"kind": TRAINING, **self.state.state_dict(), "random": random}
            content["config"] = dict(self.config)
            save_checkpoint(content, self.folder / LAST, keep_previous=True)

    def save_best(self, evaluation: Evaluation) -> None:
        """Write the averaged weights to `best.pt`."""
        self._save_weights(BEST, dict(evaluation.figures))

    def save_apart(self) -> None:
        """Write the averaged weights to `epochN.pt`, N counting from 1."""
        self._save_weights(f"epoch{self.state.progress.epoch}.pt", {})

    def _save_weights(self, name: str, figures: dict[str, float]) -> None:
        if self.context.is_main:
            content = {
                "kind": WEIGHTS,
                "description": self.state.task.description,
                "average": self.state.ema.state_dict(),
                "epoch": self.state.progress.epoch,
                "figures": figures,
                "config": dict(self.config),
            }
            save_checkpoint(content, self.folder / name)

    def save_trouble(self, report: StepReport) -> None:
        """Write what is known of the last non-finite step beside `last.pt`."""
        everywhere = self.context.gather(report.culprits)
        if self.context.is_main:
            progress = self.state.progress
            record = {
                "epoch": progress.epoch + 1,
                "batch": progress.step,
                "losses": {name: repr(value) for name, value in report.parts.items()},
                "gradient_norm": repr(report.norm),
                "images_by_process": everywhere,
            }
            write_json(self.folder / "not_finite.json", record, indent=2)

    def restore(self, checkpoint: State) -> None:
        """Put a checkpoint's content back into the live parts, random numbers included."""
        self.state.load_state_dict(checkpoint)
        states = checkpoint["random"]
        # A different number of processes: new ones go on from the first one's numbers.
        rank = self.context.rank if self.context.rank < len(states) else 0
        restore_random_state(states[rank])
