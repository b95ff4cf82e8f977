"""How far each run of a table has come, by its files alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from yolor_gp.ablation.folder import AblationFolder, Job, Status
from yolor_gp.ablation.subjects import Subject, subject_of

_ORDER: tuple[Status, ...] = ("finished", "running", "stopped", "waiting")


@dataclass(frozen=True)
class Progress:
    """One run now.

    Attributes:
        row: Name of its row.
        seed: Of the run.
        status: See `Job.status`.
        done: Epochs.
        total: Epochs of the whole run, None before it has begun.
        left: Seconds, by the time that the epochs so far have taken; a stop in between counts in.
        found: The figures that are known on the way, by their titles, in percent: of the
            evaluation, before it the latest.
    """

    row: str
    seed: int
    status: Status
    done: int
    total: int | None
    left: float | None
    found: dict[str, float]


def progress(folder: AblationFolder, stale: float) -> list[Progress]:
    """Every run of a table, in the order they are begun."""
    subject = subject_of(folder.plan)
    return [_progress(job, subject, stale) for job in folder.jobs()]


def summary(runs: Sequence[Progress]) -> str:
    """How many are finished, running, ..., in a line."""
    count = Counter(run.status for run in runs)
    return ", ".join(f"{count[word]} {word}" for word in _ORDER if count[word])


def clock(seconds: float | None) -> str:
    """`1:02:03`, or nothing."""
    if seconds is None:
        return ""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def titles(folder: AblationFolder) -> list[str]:
    """Of the figures that are known on the way."""
    return [figure.title for figure in subject_of(folder.plan).figures.values() if figure.history]


def _progress(job: Job, subject: Subject, stale: float) -> Progress:
    history, status = job.history(), job.status(stale)
    done, total = len(history), _epochs(job)
    left = _left(job, done, total) if status == "running" and total else None
    found = _found(job, subject, history)
    return Progress(job.row.name, job.seed, status, done, total, left, found)


def _found(job: Job, subject: Subject, history: list[dict[str, float]]) -> dict[str, float]:
    evaluation, found = job.figures(), {}
    for figure in subject.figures.values():
        if not figure.history:
            continue
        if evaluation is not None:
            value = figure.of(evaluation)
        else:
            latest = _latest(history, figure.history)
            value = None if latest is None else 100 * latest
        if value is not None:
            found[figure.title] = value
    return found


def _latest(history: list[dict[str, float]], name: str) -> float | None:
    known = [value for row in history if not math.isnan(value := row.get(name, math.nan))]
    return known[-1] if known else None


def _epochs(job: Job) -> int | None:
    try:
        config = yaml.safe_load((job.run / "config.yaml").read_text(encoding="utf-8"))
        return int(config["recipe"]["schedule"]["epochs"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return None


def _left(job: Job, done: int, total: int) -> float | None:
    try:
        began = (job.run / "config.yaml").stat().st_mtime
        latest = (job.run / "metrics.csv").stat().st_mtime
    except OSError:
        return None
    return (latest - began) / done * (total - done) if done else None
