"""Training runs of any task from a request to what is left of them, for programs and for Python.

A run writes into `PROJECT/NAME`, then `NAME2`, `NAME3`; never into an older run unless told to.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Self

from yolor_gp.config.run_settings import RunSettings, SettingsOfRun
from yolor_gp.engine.checkpoints.checkpoint import State
from yolor_gp.engine.checkpoints.checkpointer import BEST, LAST
from yolor_gp.engine.checkpoints.provenance import collect_provenance, write_provenance
from yolor_gp.engine.checkpoints.resume import (
    PROVENANCE_FILE,
    find_restarted,
    has_checkpoint,
    launch_identity,
    open_resumed,
)
from yolor_gp.engine.distributed.context import DistributedContext, joined_context
from yolor_gp.engine.loggers import TABLE
from yolor_gp.engine.precision import training_device
from yolor_gp.engine.requests import TrainRequest
from yolor_gp.engine.trainer import Outcome
from yolor_gp.errors import UserError
from yolor_gp.files import write_text
from yolor_gp.visualize.plots import plot_training

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """What a training left.

    Attributes:
        folder: The run folder.
        exit_code: 0 finished; 130, 143 stopped by a signal; 4 too many non-finite steps.
        message: How it ended, for people.
        figures: Of the last validation: "box AP", "mask AP", "box AP50", ...
    """

    folder: Path
    exit_code: int
    message: str
    figures: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, result: TrainingResult) -> Self:
        """The same run."""
        return cls(result.folder, result.exit_code, result.message, result.figures)

    @property
    def best(self) -> Path:
        """The weights that scored best, or the last ones where none were scored."""
        best = self.folder / "weights" / BEST
        return best if best.is_file() else self.folder / "weights" / LAST

    @property
    def history(self) -> list[dict[str, float]]:
        """A row per epoch: losses, figures, rates; NaN where nothing was measured."""
        return read_history(self.folder)


@dataclass(frozen=True)
class Run(Generic[SettingsOfRun]):
    """What every process must know to train together.

    Attributes:
        config: The configuration.
        folder: The run folder.
        resumed: The checkpoint that is gone on from.
        start: Weights in memory to begin with, instead of what `config` names.
    """

    config: SettingsOfRun
    folder: Path
    resumed: State | None = None
    start: Any = None


def carry_out(
    request: TrainRequest,
    kind: type[SettingsOfRun],
    configure: Callable[[Mapping[str, Any], tuple[str, ...]], SettingsOfRun],
    train: Callable[[Run[SettingsOfRun], DistributedContext], Outcome],
    start: Any = None,
) -> TrainingResult:
    """Train what `request` says; under torchrun every process calls it alike.

    Args:
        request: As flags say it.
        kind: The settings of the task's runs.
        configure: Makes the settings of a new run from given fields and overrides of the recipe.
        train: Trains on this process; every process calls it with the same run.
        start: Weights in memory, which a new run begins from.

    Raises:
        UserError: For whatever is wrong with the request, the data or the model.
        LostPeerError: When another process of the run is gone.
    """
    settings = kind.of_flags(dict(request.given))
    with joined_context(
        training_device(settings.device).type,
        timeout=settings.timeout,
        heartbeat=settings.heartbeat,
    ) as context:
        prepared = None
        if context.is_main:
            prepared = _prepared(request, kind, configure, context, start)
        run = context.broadcast(prepared)
        assert run is not None
        outcome = _trained(run, context, train)
    if context.is_main:
        with suppress(OSError):
            write_training_plot(run.folder)
        _say_outcome(outcome, run.folder)
    figures = {} if outcome.evaluation is None else dict(outcome.evaluation.figures)
    return TrainingResult(run.folder, outcome.exit_code, outcome.message, figures)


def new_run_folder(project: str | Path, name: str = "exp") -> Path:
    """Create and return the first free of `project/name`, `project/name2`, ...

    Raises:
        UserError: Where it cannot be created.
    """
    number = 0
    while True:
        number += 1
        folder = Path(project) / (name if number == 1 else f"{name}{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if folder.parent.is_dir():
                continue
            raise UserError(f"{project}: is a file; --project names a folder") from None
        except OSError as error:
            raise UserError(
                f"{folder}: cannot be created ({error.strerror}); choose another --project"
            ) from None
        return folder


def run_folder(project: str | Path, name: str, *, exist_ok: bool) -> Path:
    """`project/name` if it exists and may be written into, else a new folder of that name."""
    folder = Path(project) / name
    return folder if exist_ok and folder.is_dir() else new_run_folder(project, name)


def read_history(folder: Path) -> list[dict[str, float]]:
    """The rows of `folder/metrics.csv`; NaN where nothing was measured, [] without the file."""
    file = folder / TABLE
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as text:
        return [
            {name: float(value) if value else float("nan") for name, value in row.items()}
            for row in csv.DictReader(text)
        ]


def write_training_plot(folder: Path) -> Path | None:
    """Draw `folder/metrics.csv` as `curves.png`; None where there are no two epochs to join."""
    rows = read_history(folder)
    if len(rows) < 2:
        return None
    columns = {name: [row[name] for row in rows] for name in rows[0] if name != "skipped"}
    picture = folder / "curves.png"
    plot_training(columns, picture)
    return picture


def write_run_files(
    run: Run[SettingsOfRun],
    config: RunSettings,
    model_yaml: str,
    data: Mapping[str, str],
    context: DistributedContext,
) -> None:
    """What is needed to run it again, before the first step.

    config: resolved; model_yaml: the model's file, resolved; data: fingerprints by split.
    """
    write_text(run.folder / "config.yaml", config.to_yaml())
    write_text(run.folder / "recipe.yaml", config.recipe.to_yaml())
    write_text(run.folder / "model.yaml", model_yaml)
    provenance = collect_provenance(
        seed=config.seed,
        data=dict(data),
        processes=context.size,
        resumed=run.resumed is not None,
        launch=launch_identity(context.run_id),
    )
    write_provenance(run.folder / PROVENANCE_FILE, provenance)


def _say_outcome(outcome: Outcome, folder: Path) -> None:
    """The end of a run, for people."""
    if outcome.evaluation is not None and outcome.evaluation.summary:
        _log.info("%s", outcome.evaluation.summary)
    level = logging.WARNING if outcome.exit_code else logging.INFO
    _log.log(level, "%s; run folder %s", outcome.message, folder)


def _trained(
    run: Run[SettingsOfRun],
    context: DistributedContext,
    train: Callable[[Run[SettingsOfRun], DistributedContext], Outcome],
) -> Outcome:
    try:
        return train(run, context)
    except UserError:
        if context.is_main:
            with suppress(OSError):  # only a folder in which nothing has been written is empty
                run.folder.rmdir()
        raise


def _prepared(
    request: TrainRequest,
    kind: type[SettingsOfRun],
    configure: Callable[[Mapping[str, Any], tuple[str, ...]], SettingsOfRun],
    context: DistributedContext,
    start: Any,
) -> Run[SettingsOfRun]:
    """On the first process: the configuration, the run folder and, on resume, the state."""
    where, folder = request.resume, None
    if where is None and context.run_id:
        launch = launch_identity(context.run_id)
        folder = find_restarted(request.project, launch, context.restarts)
        where = str(folder) if folder is not None and has_checkpoint(folder) else None
    if where is None:
        config = configure(request.given, request.overrides)
        return Run(
            config,
            folder or run_folder(request.project, request.name, exist_ok=request.exist_ok),
            start=start,
        )
    resumed = open_resumed(where, request.project, kind)
    for warning in resumed.warnings:
        _log.warning("%s", warning)
    config = resumed.config.with_free_flags(
        dict(request.given), request.overrides, str(resumed.checkpoint)
    )
    return Run(config, resumed.folder, resumed.state)
