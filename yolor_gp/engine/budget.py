"""`--time`: how many epochs fit into the time that is given, by a few measured steps."""

from __future__ import annotations

import copy
import itertools
import logging
import time

import torch

from yolor_gp.config.run_settings import RunSettings, SettingsOfRun
from yolor_gp.engine.distributed.context import DistributedContext
from yolor_gp.engine.precision import Precision, to_float32
from yolor_gp.engine.task import Task

_log = logging.getLogger(__name__)

_STEPS = 4  # measured, after one that warms up
_VALIDATION_SHARE = 0.5  # of a step's time, for as many images: forward pass, NMS and figures


def within_time(
    config: RunSettings,
    task: Task,
    precision: Precision,
    device: torch.device,
    context: DistributedContext,
    *,
    validation_images: int,
) -> int:
    """The epochs that `config.time` seconds are enough for, by a few measured steps."""
    recipe = config.recipe
    epochs = epochs_within(
        config.time,
        task,
        precision,
        device,
        context,
        validation_batches=-(-validation_images // config.batch_size),
        validations=max(recipe.schedule.epochs // recipe.validation.every, 1),
    )
    _log.info("time: %d epochs fit into %.0f s", epochs, config.time)
    return epochs


def of_length(config: SettingsOfRun, epochs: int) -> SettingsOfRun:
    """The same settings with so many epochs."""
    schedule = config.recipe.schedule.model_copy(update={"epochs": epochs})
    return config.model_copy(
        update={"recipe": config.recipe.model_copy(update={"schedule": schedule})}
    )


def epochs_within(
    seconds: float,
    task: Task,
    precision: Precision,
    device: torch.device,
    context: DistributedContext,
    *,
    validation_batches: int,
    validations: int,
) -> int:
    """The number of epochs, at least 1, that `seconds` are enough for.

    validations: at most so many, and one an epoch.
    The steps are made on a copy of the network; its weights and all random numbers stay as they
    are. Every process gets the figure of the slowest.
    """
    step = max(context.gather(step_seconds(task, precision, device)))
    return _epochs_of(
        seconds,
        epoch=len(task.loader) * step,
        validation=validation_batches * step * _VALIDATION_SHARE,
        validations=validations,
    )


def _epochs_of(seconds: float, *, epoch: float, validation: float, validations: int) -> int:
    """How many epochs fit, of so many seconds each, with at most one validation after each."""
    validated = seconds / (epoch + validation)
    if validated > validations:
        return max(int((seconds - validations * validation) / epoch), 1)
    return max(int(validated), 1)


def step_seconds(task: Task, precision: Precision, device: torch.device) -> float:
    """Seconds of a step of training with its loading, on a copy of the network."""
    network = copy.deepcopy(task.network).train()
    # A small data set has fewer batches than that: its epoch is begun again.
    batches = itertools.chain.from_iterable(task.loader.epoch(0) for _ in itertools.count())
    started = time.perf_counter()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        for number, batch in enumerate(itertools.islice(batches, 1 + _STEPS)):
            with precision.autocast():
                outputs = network(precision.images(batch.images, device))
            with precision.full():
                losses = task.criterion(to_float32(outputs), batch.targets)
            losses.total.backward()  # type: ignore[no-untyped-call]
            losses.total.detach().cpu()  # waits for the device
            if number == 0:
                started = time.perf_counter()
    return (time.perf_counter() - started) / _STEPS
