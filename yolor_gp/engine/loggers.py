"""Where the figures of a run go beside the screen: `--log`, and the door for loggers of others.

`metrics.csv` is always written; TensorBoard, wandb, mlflow and what plugins register are named.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from yolor_gp.config.registry import Registry
from yolor_gp.engine.task import Picture
from yolor_gp.errors import UserError
from yolor_gp.files import whole_file, write_text

_log = logging.getLogger(__name__)

TABLE = "metrics.csv"
"""In the run folder: a row for every epoch."""


@dataclass(frozen=True)
class LoggedRun:
    """What a logger may want to know of a run when it is opened.

    Attributes:
        folder: The run folder.
        config: Everything that was decided, as plain values.
        resumed_at: Epochs that are done already; None for a new run.
    """

    folder: Path
    config: Mapping[str, Any]
    resumed_at: int | None = None


class Logger(Protocol):
    """Is told what a run measures, on the first process. What it raises ends it, not the run."""

    def epoch(self, number: int, figures: Mapping[str, float]) -> None:
        """After an epoch (the first is 1): "train/box", "val/box AP", "lr/weights", ..."""

    def picture(self, name: str, picture: Picture, epoch: int) -> None:
        """A picture of training or validation, u8[H, W, 3] RGB."""

    def close(self) -> None:
        """At the end of the run, also after an interruption."""


OpenLogger = Callable[[LoggedRun], Logger]

_openers: Registry[OpenLogger] = Registry("logger", reserved=["csv"])


def register_logger(name: str) -> Callable[[OpenLogger], OpenLogger]:
    """Enter a class or function that opens a logger under the name that `--log` then takes.

    Raises:
        ValueError: When the name is taken.
    """
    return _openers.register(name)


def check_loggers(names: Iterable[str]) -> None:
    """Refuse names that nobody registered, and those whose package is missing.

    Raises:
        UserError: Naming the first of them.
    """
    for name in names:
        if name in _openers.reserved:
            continue
        package = getattr(_openers.find(name, f"--log {name}"), "package", None)
        if package is not None and importlib.util.find_spec(package) is None:
            raise UserError(
                f"--log {name}: the package is not installed; pip install 'yolor_gp[{name}]', or"
                " leave the word out"
            )


class RunLog:
    """`metrics.csv` and every logger that was asked for."""

    def __init__(self, run: LoggedRun, names: Sequence[str]) -> None:
        """Open them; `names` have been checked.

        Raises:
            UserError: When one cannot be opened.
        """
        self._table = run.folder / TABLE
        self._loggers = {name: _opened(name, run) for name in names if name != "csv"}

    def epoch(self, history: Sequence[Mapping[str, float]]) -> None:
        """Write the table anew, from the history that checkpoints carry; pass the last row on.

        After a resume the table holds neither gaps nor epochs that were undone.
        """
        with whole_file(self._table) as file:
            file.write(as_csv(history).encode())
        figures = {name: value for name, value in history[-1].items() if name != "epoch"}
        number = int(history[-1]["epoch"])
        self._tell(lambda logger: logger.epoch(number, figures))

    def picture(self, name: str, picture: Picture, epoch: int) -> None:
        """Pass a picture on, u8[H, W, 3] RGB."""
        self._tell(lambda logger: logger.picture(name, picture, epoch))

    def close(self) -> None:
        """Close all."""
        self._tell(lambda logger: logger.close())

    def _tell(self, message: Callable[[Logger], None]) -> None:
        for name, logger in [*self._loggers.items()]:
            try:
                message(logger)
            except Exception as error:  # a training of days does not end with a lost connection
                del self._loggers[name]
                _log.warning("--log %s: %s; the run goes on without it", name, error)


def _opened(name: str, run: LoggedRun) -> Logger:
    try:
        return _openers.parts[name](run)
    except Exception as error:  # whatever a service says
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"--log {name}: cannot be opened ({reason})") from error


def as_csv(history: Sequence[Mapping[str, float]]) -> str:
    """A table with every column that occurs in any row; empty where a row has none."""
    columns = list(dict.fromkeys(name for row in history for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in history:
        writer.writerow({name: _number(value) for name, value in row.items()})
    return text.getvalue()


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f"{value:.6g}"


@register_logger("tensorboard")
class TensorBoardLogger:
    """Event files in the run folder."""

    def __init__(self, run: LoggedRun) -> None:
        # Slow to import, and only the process that writes needs it.
        from torch.utils.tensorboard import SummaryWriter

        undone_from = None if run.resumed_at is None else run.resumed_at + 1
        self._board: Any = SummaryWriter(str(run.folder), purge_step=undone_from)

    def epoch(self, number: int, figures: Mapping[str, float]) -> None:
        """Scalars by name."""
        for name, value in figures.items():
            self._board.add_scalar(name, value, number)
        self._board.flush()

    def picture(self, name: str, picture: Picture, epoch: int) -> None:
        """An image."""
        self._board.add_image(name, picture, epoch, dataformats="HWC")
        self._board.flush()

    def close(self) -> None:
        """Flush and close."""
        self._board.close()


@register_logger("wandb")
class WandbLogger:
    """Weights & Biases. Project, mode and server are its own words: WANDB_PROJECT, WANDB_MODE, ...

    A resumed run goes on under the id that is kept in the run folder.
    """

    package = "wandb"

    def __init__(self, run: LoggedRun) -> None:
        import wandb

        self._wandb: Any = wandb
        kept = run.folder / "wandb.id"
        known = kept.read_text(encoding="utf-8").strip() if kept.is_file() else None
        self._run = self._wandb.init(
            dir=str(run.folder),
            name=run.folder.name,
            config=dict(run.config),
            id=known,
            resume=None if known is None else "allow",
        )
        write_text(kept, self._run.id)

    def epoch(self, number: int, figures: Mapping[str, float]) -> None:
        """One step of its history."""
        self._run.log({**figures, "epoch": number}, step=number)

    def picture(self, name: str, picture: Picture, epoch: int) -> None:
        """With the figures of the epoch."""
        self._run.log({name: self._wandb.Image(picture)}, step=max(epoch, 1))

    def close(self) -> None:
        """Wait until all is written or sent."""
        self._run.finish()


@register_logger("mlflow")
class MlflowLogger:
    """MLflow. Server and experiment are its own words: MLFLOW_TRACKING_URI, ...

    A resumed run goes on under the id that is kept in the run folder.
    """

    package = "mlflow"

    def __init__(self, run: LoggedRun) -> None:
        import mlflow

        self._client: Any = mlflow.MlflowClient()
        kept = run.folder / "mlflow.id"
        if kept.is_file():
            self._id = kept.read_text(encoding="utf-8").strip()
            return
        experiment = mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", "yolor_gp"))
        created = self._client.create_run(experiment.experiment_id, run_name=run.folder.name)
        self._id = created.info.run_id
        write_text(kept, self._id)
        for name, value in _flat(run.config):
            self._client.log_param(self._id, name, str(value)[:500])

    def epoch(self, number: int, figures: Mapping[str, float]) -> None:
        """Metrics at step `number`."""
        for name, value in figures.items():
            self._client.log_metric(self._id, name, value, step=number)

    def picture(self, name: str, picture: Picture, epoch: int) -> None:
        """An artifact."""
        self._client.log_image(self._id, picture, artifact_file=f"{name}.png")

    def close(self) -> None:
        """Say that the run has ended."""
        self._client.set_terminated(self._id)


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Nested values under dotted names.

    Yields:
        Dotted name and value.
    """
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
