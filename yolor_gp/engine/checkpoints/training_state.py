"""What a training checkpoint holds, and how it is put back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.optim import Optimizer

from yolor_gp.analysis.gradient_flow import GradientFlow
from yolor_gp.engine.checkpoints.checkpoint import State, save_checkpoint
from yolor_gp.engine.checkpoints.progress import Progress
from yolor_gp.engine.checkpoints.reproducible import capture_random_state, restore_random_state
from yolor_gp.engine.distributed.context import World
from yolor_gp.engine.ema import WeightAverage
from yolor_gp.engine.precision import LossScaler
from yolor_gp.engine.step import StepReport
from yolor_gp.engine.task import Evaluation, Task

TRAINING, WEIGHTS = "training", "weights"
"""Kinds of checkpoint: everything, to go on training; or the averaged weights, to use."""

LAST, BEST = "last.pt", "best.pt"


@dataclass
class TrainingState:
    """The live parts of a training run; also its keeper (see `trainer.Keeper`).

    folder: `weights/` of the run; config: the resolved configuration, as plain values; gradients:
    what `--log-gradients` has measured so far.
    """

    task: Task
    progress: Progress
    optimizer: Optimizer
    scaler: LossScaler
    average: WeightAverage
    world: World
    folder: Path
    config: Mapping[str, Any]
    gradients: GradientFlow | None = None

    def save_last(self) -> None:
        """Write everything to `last.pt`; the one before stays as `last.previous.pt`.

        Gradients are not kept: it is called between optimizer steps only.
        """
        random = self.world.gather(capture_random_state())
        if self.world.is_main:
            state = {
                "kind": TRAINING,
                "description": self.task.description,
                "network": self.task.network.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "scaler": self.scaler.state_dict(),
                "progress": self.progress.state_dict(),
                "random": random,
                "config": dict(self.config),
                "gradients": None if self.gradients is None else self.gradients.state_dict(),
            }
            save_checkpoint(state, self.folder / LAST, keep_previous=True)

    def save_best(self, evaluation: Evaluation) -> None:
        """Write the averaged weights to `best.pt`."""
        self._save_weights(BEST, dict(evaluation.figures))

    def save_apart(self) -> None:
        """Write the averaged weights to `epochN.pt`, N counting from 1."""
        self._save_weights(f"epoch{self.progress.epoch}.pt", {})

    def _save_weights(self, name: str, figures: dict[str, float]) -> None:
        if self.world.is_main:
            state = {
                "kind": WEIGHTS,
                "description": self.task.description,
                "average": self.average.state_dict(),
                "epoch": self.progress.epoch,
                "figures": figures,
                "config": dict(self.config),
            }
            save_checkpoint(state, self.folder / name)

    def save_trouble(self, report: StepReport) -> None:
        """Write what is known of the last non-finite step beside `last.pt`."""
        everywhere = self.world.gather(report.culprits)
        if self.world.is_main:
            record = {
                "epoch": self.progress.epoch + 1,
                "batch": self.progress.step,
                "losses": {name: repr(value) for name, value in report.parts.items()},
                "gradient_norm": repr(report.norm),
                "images_by_process": everywhere,
            }
            text = json.dumps(record, indent=2) + "\n"
            (self.folder / "not_finite.json").write_text(text, encoding="utf-8")

    def restore(self, state: State) -> None:
        """Put a checkpoint's content back into the live parts (except `progress`, which is made
        from it)."""
        self.task.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        measured = state.get("gradients")
        if self.gradients is not None and measured is not None:
            self.gradients.load_state_dict(measured)
        states = state["random"]
        # A different number of processes: new ones go on from the first one's numbers.
        rank = self.world.rank if self.world.rank < len(states) else 0
        restore_random_state(states[rank])
