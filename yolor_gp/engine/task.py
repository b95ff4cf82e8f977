"""What the trainer needs to know of what it trains: a network, a loss, data and a score.

Nothing here is about detection; a classifier makes a `Task` of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

Picture: TypeAlias = NDArray[np.uint8]
"""u8[H, W, 3] RGB."""


class ItemMeta(Protocol):
    """Where one item of a batch comes from."""

    @property
    def path(self) -> str:
        """The file, for messages."""


class TrainingBatch(Protocol):
    """images: u8 or f32 [B, 3, H, W]; targets: what the criterion takes."""

    @property
    def images(self) -> Tensor: ...  # noqa: D102
    @property
    def targets(self) -> Any: ...  # noqa: D102
    @property
    def metas(self) -> Sequence[ItemMeta]: ...  # noqa: D102
    def __len__(self) -> int: ...


class TrainingLoader(Protocol):
    """Batches of this process; the same number on every process.

    The batches of an epoch depend on its number only, so that it can be entered at any step.
    """

    def __len__(self) -> int: ...

    def epoch(self, epoch: int, start_step: int = 0) -> Iterable[Any]:
        """Batches `start_step`, ... of `epoch`."""


class Losses(Protocol):
    """A dataclass of scalar tensors; `total` is the one to differentiate.

    The mean over the processes of the gradient of `total` must be the gradient that one process
    would have with the global batch.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def total(self) -> Tensor: ...  # noqa: D102


@dataclass(frozen=True)
class Evaluation:
    """score: higher is better, decides which weights are kept; figures: by name, for the log.

    summary: lines for people, printed at the end of training.
    """

    score: float
    figures: dict[str, float]
    pictures: dict[str, Picture] = field(default_factory=dict)
    summary: str = ""


@dataclass(frozen=True)
class Task:
    """Everything that is trained.

    criterion: (outputs of the network in float32, batch.targets as they were loaded) -> Losses; it
    decides what of them the device gets;
    validate: called on every process with the averaged network and a question "must I stop?";
    returns the same result on every process;
    description: plain values from which the network can be built again, kept in checkpoints;
    draw: (batch) -> its images with their labels.
    """

    network: nn.Module
    criterion: Callable[[Any, Any], Losses]
    loader: TrainingLoader
    validate: Callable[[nn.Module, Callable[[], bool]], Evaluation]
    description: dict[str, Any]
    draw: Callable[[Any], Picture] | None = None


class ValidationInterruptedError(Exception):
    """Raised by `Task.validate` when it was told to stop."""


def loss_names(losses: Losses) -> list[str]:
    """The names of the parts, `total` last."""
    names = [item.name for item in fields(losses)]
    return sorted(names, key=lambda name: name == "total")
