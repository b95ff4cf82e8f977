"""`train.py`: train a detector, or go on with a run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from yolor_gp.commands.run_folder import new_run_folder
from yolor_gp.commands.train_arguments import TrainArguments, parse_train_arguments
from yolor_gp.commands.train_plot import write_training_plot
from yolor_gp.config.run_config import (
    check_run_config,
    checked_flags,
    make_run_config,
    resume_run_config,
)
from yolor_gp.detection.train import DetectionRun, print_outcome, train_detector
from yolor_gp.engine.checkpoints.resume import (
    find_restarted,
    has_checkpoint,
    launch_identity,
    open_resumed,
)
from yolor_gp.engine.distributed.context import World, run_in_world
from yolor_gp.engine.precision import training_device
from yolor_gp.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """0: finished; 130, 143: stopped by a signal; 4: too many non-finite steps; 70: a lost peer."""
    given = parse_train_arguments(arguments)
    settings = checked_flags(given.given)
    return run_in_world(
        lambda world: _train(given, world),
        training_device(settings.device).type,
        timeout=settings.timeout,
        heartbeat=settings.heartbeat,
    )


def _train(given: TrainArguments, world: World) -> int:
    run = world.broadcast(_prepare(given, world) if world.is_main else None)
    assert run is not None
    try:
        outcome = train_detector(run, world)
    except UserError:
        if world.is_main:
            with suppress(OSError):  # only a folder in which nothing has been written is empty
                run.folder.rmdir()
        raise
    if world.is_main:
        with suppress(OSError):
            write_training_plot(run.folder)
        print_outcome(outcome, run.folder)
    return outcome.exit_code


def _prepare(given: TrainArguments, world: World) -> DetectionRun:
    """On the first process: the configuration, the run folder and, on resume, the state."""
    where, folder = given.resume, None
    if where is None and world.run_id:
        launch = launch_identity(world.run_id)
        folder = find_restarted(given.project, launch, world.restarts)
        where = str(folder) if folder is not None and has_checkpoint(folder) else None
    if where is None:
        config = make_run_config(given.given, given.overrides)
        check_run_config(config)
        return DetectionRun(config, folder or _folder(given))
    resumed = open_resumed(where, given.project)
    for warning in resumed.warnings:
        print(warning, file=sys.stderr)
    source = str(resumed.checkpoint)
    config = resume_run_config(resumed.config, given.given, given.overrides, source)
    return DetectionRun(config, resumed.folder, resumed.state)


def _folder(given: TrainArguments) -> Path:
    folder = given.project / given.name
    if given.exist_ok and folder.is_dir():
        return folder
    return new_run_folder(given.project, given.name)
