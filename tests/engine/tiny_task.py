"""A task small enough to train in milliseconds: the trainer must not know detection."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from yolor_gp.analysis.gradient_flow import GradientFlow
from yolor_gp.config.run_config import RunConfig
from yolor_gp.config.train_config import (
    AugmentConfig,
    EmaConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainConfig,
)
from yolor_gp.engine.checkpoints.reproducible import seed_everything
from yolor_gp.engine.distributed.context import DistributedContext
from yolor_gp.engine.precision import choose_precision
from yolor_gp.engine.task import Evaluation, Task
from yolor_gp.engine.trainer import Outcome
from yolor_gp.engine.training_run import run_training

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Meta:
    path: str


@dataclass(frozen=True)
class Batch:
    images: Tensor
    targets: Tensor
    metas: tuple[Meta, ...]

    def __len__(self) -> int:
        return len(self.metas)


@dataclass(frozen=True)
class TinyLosses:
    square: Tensor
    total: Tensor


class TinyLoader:
    """Images whose numbers depend on their position only; `poison` makes some not finite."""

    def __init__(
        self, context: DistributedContext, batch_size: int, steps: int, poison: frozenset[int]
    ) -> None:
        self.context, self.share, self.steps = context, batch_size // context.size, steps
        self.poison = poison
        self.epochs: list[tuple[int, int]] = []
        self.on_batch: Callable[[int, int], None] = lambda epoch, step: None

    def __len__(self) -> int:
        return self.steps

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        self.epochs.append((epoch, start_step))
        for step in range(start_step, self.steps):
            self.on_batch(epoch, step)
            first = (step * self.context.size + self.context.rank) * self.share
            items = [self._item(epoch, first + i, step) for i in range(self.share)]
            images, targets, metas = zip(*items, strict=True)
            yield Batch(torch.stack(images), torch.stack(targets), metas)

    def _item(self, epoch: int, position: int, step: int) -> tuple[Tensor, Tensor, Meta]:
        generator = np.random.Generator(np.random.Philox(key=[epoch, position]))
        image = torch.from_numpy(generator.standard_normal((3, 8, 8)).astype(np.float32))
        if epoch * self.steps + step in self.poison:
            image = image * float("nan")
        return image, image.mean().clamp(-1, 1), Meta(f"epoch{epoch}/image{position}.jpg")


def tiny_network(normalised: bool = True) -> nn.Sequential:
    norm = nn.BatchNorm2d(4) if normalised else nn.Identity()
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), norm, nn.SiLU(), nn.Dropout(0.1 if normalised else 0.0),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1),
    )  # fmt: skip


def tiny_task(
    context: DistributedContext,
    *,
    batch_size: int = 4,
    steps: int = 6,
    poison: frozenset[int] = frozenset(),
    normalised: bool = True,
    scores: list[float] | None = None,
) -> Task:
    seed_everything(0)
    network = tiny_network(normalised)
    loader = TinyLoader(context, batch_size, steps, poison)
    calls = iter(scores or [])

    def criterion(outputs: Tensor, targets: Tensor) -> TinyLosses:
        square = (outputs[:, 0] - targets).square().mean()
        # As the trainer asks: the mean over processes is that of the global batch.
        return TinyLosses(square.detach(), square * batch_size)

    def validate(average: nn.Module, must_stop: Callable[[], bool]) -> Evaluation:
        weight = next(average.parameters())
        score = next(calls, None)
        return Evaluation(float(weight.mean()) if score is None else score, {"weight": 1.0})

    return Task(network, criterion, loader, validate, {"tiny": True})


def tiny_config(epochs: int = 2, **changes: Any) -> RunConfig:
    recipe = TrainConfig(
        optimizer=OptimizerConfig(learning_rate=0.05, nominal_batch=8),
        schedule=ScheduleConfig(epochs=epochs, warmup_epochs=1, warmup_min_steps=3),
        ema=EmaConfig(decay=0.9, warmup=5),
        augment=AugmentConfig(),
    )
    config = RunConfig(batch_size=4, precision="float32", recipe=recipe)
    return config.model_copy(update=changes)


def with_schedule(config: RunConfig, **changes: Any) -> RunConfig:
    schedule = config.recipe.schedule.model_copy(update=changes)
    return config.model_copy(
        update={"recipe": config.recipe.model_copy(update={"schedule": schedule})}
    )


def train(
    folder: Path,
    config: RunConfig,
    task: Task | None = None,
    *,
    context: DistributedContext | None = None,
    resumed: dict[str, Any] | None = None,
) -> Outcome:
    context = context or DistributedContext()
    task = task or tiny_task(context, batch_size=config.batch_size)
    observer = None
    if config.log_gradients and context.is_main:
        observer = GradientFlow(task.network, folder / "gradients.json")
    return run_training(
        task,
        config,
        folder,
        context=context,
        device=CPU,
        precision=choose_precision(config.precision, CPU),
        resumed=resumed,
        observer=observer,
    )


def stopped_at(task: Task, epoch: int, step: int, number: int = signal.SIGTERM) -> Task:
    """The task, sending its own process a signal while batch `step` of `epoch` is fetched."""
    loader = task.loader
    assert isinstance(loader, TinyLoader)

    def send(at_epoch: int, at_step: int) -> None:
        if (at_epoch, at_step) == (epoch, step):
            os.kill(os.getpid(), number)

    loader.on_batch = send
    return replace(task, loader=loader)


def differences(first: Any, second: Any, path: str = "") -> list[str]:
    """Where two nested states differ, bit for bit."""
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return [] if torch.equal(first, second) else [path]
    if isinstance(first, dict) and isinstance(second, dict):
        if list(first) != list(second):
            return [f"{path}: keys {list(first)} {list(second)}"]
        return [d for key in first for d in differences(first[key], second[key], f"{path}/{key}")]
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        if len(first) != len(second):
            return [f"{path}: lengths"]
        return [
            d
            for index, pair in enumerate(zip(first, second, strict=True))
            for d in differences(*pair, f"{path}/{index}")
        ]
    return [] if first == second else [f"{path}: {first} {second}"]
