"""Puts a training run together from a task and a configuration, fresh or resumed, and runs it."""

from __future__ import annotations

from pathlib import Path

import torch

from yolor_gp.analysis.gradient_flow import GradientFlow
from yolor_gp.config.run_config import RunConfig
from yolor_gp.engine.checkpoints.checkpoint import State
from yolor_gp.engine.checkpoints.progress import Progress
from yolor_gp.engine.checkpoints.training_state import TrainingState
from yolor_gp.engine.distributed.context import World, synchronise_batchnorm
from yolor_gp.engine.ema import WeightAverage
from yolor_gp.engine.loggers import LoggedRun, RunLog
from yolor_gp.engine.optimizer import build_optimizer
from yolor_gp.engine.precision import LossScaler, Precision
from yolor_gp.engine.report import SilentReport, TerminalReport
from yolor_gp.engine.schedule import Schedule
from yolor_gp.engine.signals import StopRequest
from yolor_gp.engine.step import Stepper
from yolor_gp.engine.task import Task
from yolor_gp.engine.trainer import Outcome, Trainer, TrainerOptions
from yolor_gp.errors import UserError

_SMALL_BATCH = 16


def run_training(
    task: Task,
    config: RunConfig,
    folder: Path,
    *,
    world: World,
    device: torch.device,
    precision: Precision,
    resumed: State | None = None,
) -> Outcome:
    """Train `task` in the run folder `folder`; the network is on `device` already.

    config: resolved (batch size and precision are what they are); resumed: a training checkpoint.
    """
    recipe, network = config.recipe, task.network
    precision.prepare(network)
    average = WeightAverage(network, recipe.ema)
    _synchronise(task, config, world, device)
    schedule = Schedule(recipe.schedule, recipe.optimizer, len(task.loader), config.batch_size)
    optimizer = build_optimizer(network, recipe.optimizer, schedule.weight_decay)
    scaler = LossScaler(precision)
    progress = Progress() if resumed is None else Progress.from_state(resumed["progress"])
    weights_folder = folder / "weights"
    flow = GradientFlow(network) if config.log_gradients and world.is_main else None
    keeper = TrainingState(
        task, progress, optimizer, scaler, average, world, weights_folder,
        config.model_dump(mode="json"), flow,
    )  # fmt: skip
    if world.is_main:
        weights_folder.mkdir(parents=True, exist_ok=True)
    if resumed is not None:
        keeper.restore(resumed)
    if config.compile:
        network.compile()
    stepper = Stepper(
        task, world.wrap(network), optimizer, scaler, precision, world, device,
        recipe.optimizer.clip_norm, None if flow is None else flow.update,
    )  # fmt: skip
    report = _report(folder, world, config, len(task.loader), progress)
    trainer = Trainer(
        task=task,
        options=_options(config),
        progress=progress,
        schedule=schedule,
        optimizer=optimizer,
        scaler=scaler,
        average=average,
        stepper=stepper,
        world=world,
        report=report,
        keeper=keeper,
        stop=StopRequest(),
    )
    try:
        with trainer.stop.installed():
            return trainer.fit()
    finally:
        if flow is not None:
            flow.save(folder / "gradients.json")
        report.close()


def _options(config: RunConfig) -> TrainerOptions:
    recipe = config.recipe
    return TrainerOptions(
        close_mosaic=recipe.schedule.close_mosaic,
        patience=recipe.schedule.patience,
        validate_every=recipe.validation.every,
        save_every=config.save_every,
        save_period=config.save_period,
        skip_limit=config.skip_limit,
    )


def _report(
    folder: Path, world: World, config: RunConfig, steps: int, progress: Progress
) -> TerminalReport | SilentReport:
    if not world.is_main:
        return SilentReport(world.rank)
    resumed_at = progress.epoch if progress.history else None
    run = LoggedRun(folder, config.model_dump(mode="json"), resumed_at)
    return TerminalReport(
        folder, RunLog(run, config.log), epochs=config.recipe.schedule.epochs, steps=steps
    )


def _synchronise(task: Task, config: RunConfig, world: World, device: torch.device) -> None:
    """Batch statistics over all processes, where asked for or where each has few images."""
    if config.sync_batchnorm == "on" and device.type == "cpu":
        raise UserError("--sync-bn on: torch synchronises batch statistics on GPUs only; use off")
    small = config.batch_size // world.size < _SMALL_BATCH
    wanted = config.sync_batchnorm == "on" or (config.sync_batchnorm == "auto" and small)
    if wanted and world.size > 1 and device.type == "cuda":
        synchronise_batchnorm(task.network)
