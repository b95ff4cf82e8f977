"""The live parts of a training run: one object that trainer, step and checkpoints share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn
from torch.optim import Optimizer

from yolor_gp.engine.checkpoints.progress import Progress
from yolor_gp.engine.ema import ModelEMA
from yolor_gp.engine.precision import LossScaler
from yolor_gp.engine.task import Task


class GradientObserver(Protocol):
    """Sees the gradients of every step that is applied, and is kept in checkpoints."""

    def on_gradients(self) -> None:
        """Called after the gradients are unscaled and before they are clipped."""

    def state_dict(self) -> dict[str, Any]: ...  # noqa: D102
    def load_state_dict(self, state: dict[str, Any]) -> None: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


@dataclass
class TrainingState:
    """What changes while training, and what it changes.

    Attributes:
        task: Network, loss, data and score.
        optimizer: Of the network's parameters.
        scaler: Of the loss, for float16.
        ema: The averaged network, which is validated and kept.
        progress: Where training stands.
        observer: Of gradients, on the first process.
    """

    task: Task
    optimizer: Optimizer
    scaler: LossScaler
    ema: ModelEMA
    progress: Progress
    observer: GradientObserver | None = None

    @property
    def network(self) -> nn.Module:
        """The network that is trained."""
        return self.task.network

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values: all that `load_state_dict` needs, but `progress` (see there).

        Gradients are not kept: it is called between optimizer steps only.
        """
        return {
            "description": self.task.description,
            "network": self.network.state_dict(),
            "average": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "progress": self.progress.state_dict(),
            "gradients": None if self.observer is None else self.observer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what `state_dict` gave; `progress` is made from it before (`from_state`)."""
        self.network.load_state_dict(state["network"])
        self.ema.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        if self.observer is not None and state.get("gradients") is not None:
            self.observer.load_state_dict(state["gradients"])
