"""Puts a training run together from a task and a configuration, fresh or resumed, and runs it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn

from yolor_gp.config.run_settings import RunSettings, SettingsOfRun
from yolor_gp.engine.checkpoints.checkpoint import State
from yolor_gp.engine.checkpoints.checkpointer import Checkpointer
from yolor_gp.engine.checkpoints.progress import Progress
from yolor_gp.engine.checkpoints.reproducible import seed_everything, use_deterministic_kernels
from yolor_gp.engine.distributed.context import (
    DistributedContext,
    per_rank_batch_size,
    synchronise_batchnorm,
)
from yolor_gp.engine.ema import ModelEMA
from yolor_gp.engine.loggers import LoggedRun, RunLog, check_loggers
from yolor_gp.engine.optimizer import build_optimizer
from yolor_gp.engine.precision import LossScaler, Precision, choose_precision, training_device
from yolor_gp.engine.report import SilentReport, TerminalReport
from yolor_gp.engine.runs import Run, write_run_files
from yolor_gp.engine.schedule import Schedule
from yolor_gp.engine.signals import StopRequest
from yolor_gp.engine.step import Stepper
from yolor_gp.engine.task import Task
from yolor_gp.engine.trainer import Outcome, Trainer, TrainerOptions
from yolor_gp.engine.training_state import GradientObserver, TrainingState
from yolor_gp.errors import UserError

_log = logging.getLogger(__name__)

_SMALL_BATCH = 16


def prepare_process(
    config: RunSettings, context: DistributedContext
) -> tuple[torch.device, Precision]:
    """The device and the precision of this process, whose random numbers begin anew.

    Raises:
        UserError: When what the settings ask for is not to be had here.
    """
    device = training_device(config.device, context.local_rank, context.size)
    precision = choose_precision(config.precision, device)
    seed_everything(config.seed)
    check_loggers(config.log)
    if config.deterministic:
        use_deterministic_kernels()
    if config.batch_size:
        per_rank_batch_size(config.batch_size, context)
    return device, precision


def record_and_train(
    run: Run[SettingsOfRun],
    task: Task,
    config: SettingsOfRun,
    *,
    what: str,
    model_yaml: str,
    data: Mapping[str, str],
    observe: Callable[[nn.Module, Path], GradientObserver],
    context: DistributedContext,
    device: torch.device,
    precision: Precision,
) -> Outcome:
    """Write down what is needed to run it again, say in a line what is trained, and train it.

    Args:
        run: As every process got it.
        task: What is trained.
        config: Resolved: batch size and precision are what they are.
        what: The model and the data, for people.
        model_yaml: The model's file, resolved.
        data: Fingerprints by split.
        observe: Makes what sees the gradients and writes them to a file at the end.
        context: This process among those of the run.
        device: Where the network lies.
        precision: Of its steps.
    """
    if context.is_main:
        write_run_files(run, config, model_yaml, data, context)
        processes = f", {context.size} processes" if context.size > 1 else ""
        _log.info(
            "%s; batch %d, %d epochs, %s on %s%s",
            what, config.batch_size, config.recipe.schedule.epochs, precision.name, device,
            processes,
        )  # fmt: skip
    observer = None
    if config.log_gradients and context.is_main:
        observer = observe(task.network, run.folder / "gradients.json")
    return run_training(
        task,
        config,
        run.folder,
        context=context,
        device=device,
        precision=precision,
        resumed=run.resumed,
        observer=observer,
    )


def run_training(
    task: Task,
    config: RunSettings,
    folder: Path,
    *,
    context: DistributedContext,
    device: torch.device,
    precision: Precision,
    resumed: State | None = None,
    observer: GradientObserver | None = None,
) -> Outcome:
    """Train `task` in the run folder `folder`; the network is on `device` already.

    config: resolved (batch size and precision are what they are); resumed: a training checkpoint;
    observer: of gradients, closed at the end.
    """
    recipe, network = config.recipe, task.network
    precision.prepare(network)
    ema = ModelEMA(network, recipe.ema)
    _synchronise(task, config, context, device)
    schedule = Schedule(recipe.schedule, recipe.optimizer, len(task.loader), config.batch_size)
    state = TrainingState(
        task=task,
        optimizer=build_optimizer(network, recipe.optimizer, schedule.weight_decay),
        scaler=LossScaler(precision),
        ema=ema,
        progress=Progress() if resumed is None else Progress.from_state(resumed["progress"]),
        observer=observer,
    )
    checkpointer = Checkpointer(state, context, folder / "weights", config.model_dump(mode="json"))
    if context.is_main:
        checkpointer.folder.mkdir(parents=True, exist_ok=True)
    if resumed is not None:
        checkpointer.restore(resumed)
    if config.compile:
        network.compile()
    report = _report(folder, context, config, len(task.loader), state.progress)
    trainer = Trainer(
        state=state,
        options=_options(config),
        schedule=schedule,
        stepper=Stepper(
            state,
            context.wrap(network),
            precision=precision,
            context=context,
            device=device,
            clip_norm=recipe.optimizer.clip_norm,
        ),
        context=context,
        report=report,
        checkpointer=checkpointer,
        stop=StopRequest(),
    )
    try:
        with trainer.stop.installed():
            return trainer.fit()
    finally:
        if observer is not None:
            observer.close()
        report.close()


def _options(config: RunSettings) -> TrainerOptions:
    recipe = config.recipe
    return TrainerOptions(
        patience=recipe.schedule.patience,
        validate_every=recipe.validation.every,
        save_every=config.save_every,
        save_period=config.save_period,
        skip_limit=config.skip_limit,
    )


def _report(
    folder: Path, context: DistributedContext, config: RunSettings, steps: int, progress: Progress
) -> TerminalReport | SilentReport:
    if not context.is_main:
        return SilentReport(context.rank)
    resumed_at = progress.epoch if progress.history else None
    run = LoggedRun(folder, config.model_dump(mode="json"), resumed_at)
    return TerminalReport(
        folder, RunLog(run, config.log), epochs=config.recipe.schedule.epochs, steps=steps
    )


def _synchronise(
    task: Task, config: RunSettings, context: DistributedContext, device: torch.device
) -> None:
    """Batch statistics over all processes, where asked for or where each has few images.

    Raises:
        UserError: When it is asked for on a CPU.
    """
    if config.sync_batchnorm == "on" and device.type == "cpu":
        raise UserError("--sync-bn on: torch synchronises batch statistics on GPUs only; use off")
    small = config.batch_size // context.size < _SMALL_BATCH
    wanted = config.sync_batchnorm == "on" or (config.sync_batchnorm == "auto" and small)
    if wanted and context.size > 1 and device.type == "cuda":
        synchronise_batchnorm(task.network)
