"""Training runs from a request to what is left of them: the one way, for programs and for Python.

A run writes into `PROJECT/NAME`, then `NAME2`, `NAME3`; never into an older run unless told to.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypedDict

from yolor_gp.config.run_config import (
    checked_flags,
    make_run_config,
    resume_run_config,
)
from yolor_gp.config.suggest import did_you_mean
from yolor_gp.detection.train import DetectionRun, say_outcome, train_detector
from yolor_gp.detection.weights import Weights
from yolor_gp.engine.checkpoints.checkpointer import BEST, LAST
from yolor_gp.engine.checkpoints.resume import (
    find_restarted,
    has_checkpoint,
    launch_identity,
    open_resumed,
)
from yolor_gp.engine.distributed.context import DistributedContext, joined_context
from yolor_gp.engine.loggers import TABLE
from yolor_gp.engine.precision import training_device
from yolor_gp.engine.trainer import Outcome
from yolor_gp.errors import UserError, raise_problems
from yolor_gp.visualize.plots import plot_training

_log = logging.getLogger(__name__)


class TrainFlags(TypedDict, total=False):
    """How to train, by the names of the flags; `train.py --help` explains them."""

    hyp: str
    img: int
    batch_size: int | Literal["auto"]
    boxes_only: bool
    classes: Sequence[str | int]
    single_class: bool
    fraction: float
    freeze: str | int | Sequence[str | int]
    anchors: Literal["auto", "keep"]
    save_period: int
    time: float | str
    epochs: int
    patience: int
    set: Mapping[str, Any] | Sequence[str]
    device: str
    workers: int
    cache: Literal["none", "ram"]
    precision: str
    compile: bool
    deterministic: bool
    seed: int
    project: str | Path
    name: str
    exist_ok: bool
    save_every: int
    skip_limit: int
    log: str | Sequence[str]
    log_gradients: bool
    sync_bn: Literal["auto", "on", "off"]
    timeout: float
    heartbeat: float


_WHAT = ("cfg", "data", "weights", "resume")
"""Flags that say what is trained."""

_SECONDS = {"s": 1, "m": 60, "h": 3600}

_FIELDS = {"img": "image_size", "sync_bn": "sync_batchnorm"}
"""Flags whose field in `RunConfig` has another name."""

_RECIPE_KEYS = {"epochs": "schedule.epochs", "patience": "schedule.patience"}
"""Flags that are short for a key of the recipe."""


@dataclass(frozen=True)
class TrainRequest:
    """What is to be trained, as flags say it.

    Attributes:
        given: Fields of `RunConfig` by name, only those that were given.
        overrides: Of the recipe, `section.key=value`.
        resume: None for a new run; a run folder or checkpoint; "" for the latest run.
        project: Where run folders go.
        name: Of the run folder.
        exist_ok: Write into a run folder that exists.
    """

    given: Mapping[str, Any]
    overrides: tuple[str, ...] = ()
    resume: str | None = None
    project: Path = Path("runs/train")
    name: str = "exp"
    exist_ok: bool = False


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

    @property
    def best(self) -> Path:
        """The weights that scored best, or the last ones where none were scored."""
        best = self.folder / "weights" / BEST
        return best if best.is_file() else self.folder / "weights" / LAST

    @property
    def history(self) -> list[dict[str, float]]:
        """A row per epoch: losses, figures, rates; NaN where nothing was measured."""
        return read_history(self.folder)


def request_of(flags: Mapping[str, Any]) -> TrainRequest:
    """A request from flags by name: those of `RunConfig`, of the recipe and of the folder.

    `set` holds overrides: a sequence of "key=value", or a mapping from key to value.

    Raises:
        UserError: For names that are no flags.
    """
    known = [*TrainFlags.__annotations__, *_WHAT]
    raise_problems(
        f"train: unknown argument '{name}'{did_you_mean(name, known)}"
        for name in flags
        if name not in known and name not in _FIELDS.values()
    )
    given = {_FIELDS.get(name, name): value for name, value in flags.items()}
    if given.get("batch_size") == "auto":
        given["batch_size"] = 0
    if "time" in given:
        given["time"] = seconds_of(given["time"])
    for name in ("classes", "freeze", "log"):
        if name in given:
            value = given[name]
            words = [value] if isinstance(value, str | int) else value
            given[name] = tuple(str(word) for word in words)
    changes = given.pop("set", ())
    overrides = [*changes] if not isinstance(changes, Mapping) else []
    if isinstance(changes, Mapping):
        overrides = [f"{key}={value}" for key, value in changes.items()]
    for name, key in _RECIPE_KEYS.items():
        if name in given:
            overrides.append(f"{key}={given.pop(name)}")
    around: dict[str, Any] = {
        key: given.pop(key) for key in ("resume", "name", "exist_ok") if key in given
    }
    if "project" in given:
        around["project"] = Path(given.pop("project"))
    return TrainRequest(given, tuple(overrides), **around)


def seconds_of(time: float | str) -> float:
    """Seconds as a number, or as text: 90s, 45m, 1.5h.

    Raises:
        UserError: For any other text, and for times that are not positive.
    """
    if not isinstance(time, str):
        return time
    number, unit = time[:-1], time[-1:]
    try:
        seconds = float(number) * _SECONDS[unit]
    except (KeyError, ValueError):
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise UserError(f"--time {time}: expected a time such as 90s, 45m or 1.5h")
    return seconds


def train(request: TrainRequest, start: Weights | None = None) -> TrainingResult:
    """Train what `request` says; under torchrun every process calls it alike.

    start: weights in memory, which a new run begins from.

    Raises:
        UserError: For whatever is wrong with the request, the data or the model.
        LostPeerError: When another process of the run is gone.
    """
    settings = checked_flags(dict(request.given))
    with joined_context(
        training_device(settings.device).type,
        timeout=settings.timeout,
        heartbeat=settings.heartbeat,
    ) as context:
        run = context.broadcast(_prepare(request, start, context) if context.is_main else None)
        assert run is not None
        outcome = _train(run, context)
    if context.is_main:
        with suppress(OSError):
            write_training_plot(run.folder)
        say_outcome(outcome, run.folder)
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
    """Draw `folder/metrics.csv` as `curves.png`; None where there is nothing to draw."""
    rows = read_history(folder)
    if not rows:
        return None
    columns = {name: [row[name] for row in rows] for name in rows[0] if name != "skipped"}
    picture = folder / "curves.png"
    plot_training(columns, picture)
    return picture


def _train(run: DetectionRun, context: DistributedContext) -> Outcome:
    try:
        return train_detector(run, context)
    except UserError:
        if context.is_main:
            with suppress(OSError):  # only a folder in which nothing has been written is empty
                run.folder.rmdir()
        raise


def _prepare(
    request: TrainRequest, start: Weights | None, context: DistributedContext
) -> DetectionRun:
    """On the first process: the configuration, the run folder and, on resume, the state."""
    where, folder = request.resume, None
    if where is None and context.run_id:
        launch = launch_identity(context.run_id)
        folder = find_restarted(request.project, launch, context.restarts)
        where = str(folder) if folder is not None and has_checkpoint(folder) else None
    given, overrides = dict(request.given), request.overrides
    if where is None:
        config = make_run_config(given, overrides)
        return DetectionRun(
            config,
            folder or run_folder(request.project, request.name, exist_ok=request.exist_ok),
            start=start,
        )
    resumed = open_resumed(where, request.project)
    for warning in resumed.warnings:
        _log.warning("%s", warning)
    config = resume_run_config(resumed.config, given, overrides, str(resumed.checkpoint))
    return DetectionRun(config, resumed.folder, resumed.state)
