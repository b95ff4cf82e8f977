"""What people see of training: a progress bar or plain lines, the log, pictures."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
from torch.optim import Optimizer
from tqdm import tqdm

from yolor_gp.engine.checkpoints.progress import Progress
from yolor_gp.engine.loggers import RunLog
from yolor_gp.engine.step import StepReport
from yolor_gp.engine.task import Evaluation, Picture

_log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LINES = 30.0


class SilentReport:
    """The report of processes other than the first: they only name their own bad images."""

    def __init__(self, rank: int) -> None:
        self._rank = rank

    def batch(self, progress: Progress, report: StepReport, optimizer: Optimizer) -> None:
        """Nothing."""

    def labels(self, number: int, draw: Callable[[Any], Picture] | None, batch: Any) -> None:
        """Nothing."""

    def epoch(self, progress: Progress, evaluation: Evaluation | None) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Print with the rank in front."""
        _log.warning("rank %d: %s", self._rank, text)

    def close(self) -> None:
        """Nothing."""


class TerminalReport:
    """A bar where stderr is a terminal, else a line at the start, every 30 s and per epoch."""

    def __init__(self, folder: Path, log: RunLog, *, epochs: int, steps: int) -> None:
        self._folder, self._log = folder, log
        self._epochs, self._steps = epochs, steps
        self._bar: tqdm[Any] | None = None
        self._is_terminal = sys.stderr.isatty() and _log.isEnabledFor(logging.INFO)
        self._start = self._last_line = time.monotonic()
        self._first_position: int | None = None
        self._last_figures = ""

    def batch(self, progress: Progress, report: StepReport, optimizer: Optimizer) -> None:
        """Show the mean losses of the epoch so far, and the time left."""
        position = progress.epoch * self._steps + progress.step
        if self._first_position is None:
            self._first_position = position - report.batches
        losses = " ".join(f"{name} {value:.4g}" for name, value in progress.means().items())
        title = f"epoch {progress.epoch + 1}/{self._epochs}"
        if self._is_terminal:
            if self._bar is None:
                self._bar = tqdm(total=self._steps, initial=progress.step - report.batches)
            self._bar.set_description_str(title)
            self._bar.set_postfix_str(
                f"{losses}{self._last_figures}, all: {self._left(position)}", refresh=False
            )
            self._bar.update(report.batches)
        elif time.monotonic() - self._last_line > _SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            left = self._left(position)
            _log.info("%s %d/%d: %s, %s", title, progress.step, self._steps, losses, left)

    def labels(self, number: int, draw: Callable[[Any], Picture] | None, batch: Any) -> None:
        """Keep a picture of the first training batches with their labels."""
        if draw is not None:
            self._picture(f"train_batch{number}", draw(batch), number)

    def epoch(self, progress: Progress, evaluation: Evaluation | None) -> None:
        """Log the epoch just finished; print its losses and figures."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        self._log.epoch(progress.history)
        row = progress.history[-1]
        losses = " ".join(
            f"{name.removeprefix('train/')} {value:.4g}"
            for name, value in row.items()
            if name.startswith("train/")
        )
        figures = ""
        if evaluation is not None:
            shown = {name: evaluation.figures[name] for name in list(evaluation.figures)[:4]}
            figures = "".join(f", {name} {value:.4f}" for name, value in shown.items())
            self._last_figures = f"{figures} after epoch {progress.epoch}"
            for name, picture in evaluation.pictures.items():
                self._picture(name, picture, progress.epoch)
        position = progress.epoch * self._steps
        title = f"epoch {progress.epoch}/{self._epochs}"
        _log.info("%s: %s%s, %s", title, losses, figures, self._left(position))
        self._last_line = time.monotonic()

    def say(self, text: str) -> None:
        """A line of its own, above the bar."""
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        else:
            _log.warning("%s", text)

    def close(self) -> None:
        """Close bar and log."""
        if self._bar is not None:
            self._bar.close()
        self._log.close()

    def _left(self, position: int) -> str:
        done = position - (self._first_position or 0)
        if done <= 0:
            return "time left unknown"
        seconds = (time.monotonic() - self._start) / done
        return f"{_duration(seconds * (self._epochs * self._steps - position))} left"

    def _picture(self, name: str, picture: Picture, step: int) -> None:
        self._log.picture(name, picture, step)
        cv2.imwrite(str(self._folder / f"{name}.jpg"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
