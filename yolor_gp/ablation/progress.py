"""How far each run of a table has come, by its files alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from yolor_gp.ablation.folder import AblationFolder, Job, Status
from yolor_gp.config.run_config import run_config_from_yaml
from yolor_gp.errors import UserError

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
        aps: Box and mask AP in percent: of the evaluation, before it the latest on the way.
    """

    row: str
    seed: int
    status: Status
    done: int
    total: int | None
    left: float | None
    aps: tuple[float | None, float | None]


def progress(folder: AblationFolder, stale: float) -> list[Progress]:
    """Every run of a table, in the order they are begun."""
    return [_progress(job, stale) for job in folder.jobs()]


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


def percent(ap: float | None) -> str:
    """`41.3`, or nothing."""
    return "" if ap is None else f"{ap:.1f}"


def _progress(job: Job, stale: float) -> Progress:
    history, status = job.history(), job.status(stale)
    done, total = len(history), _epochs(job)
    left = _left(job, done, total) if status == "running" and total else None
    return Progress(job.row.name, job.seed, status, done, total, left, _aps(job, history))


def _aps(job: Job, history: list[dict[str, float]]) -> tuple[float | None, float | None]:
    figures = job.figures()
    if figures is not None:
        box, mask = (figures.get(kind, {}).get("AP") for kind in ("bbox", "segm"))
    else:
        box, mask = (_latest(history, f"val/{kind} AP") for kind in ("box", "mask"))
    return (None if box is None else 100 * box), (None if mask is None else 100 * mask)


def _latest(history: list[dict[str, float]], name: str) -> float | None:
    known = [value for row in history if not math.isnan(value := row.get(name, math.nan))]
    return known[-1] if known else None


def _epochs(job: Job) -> int | None:
    file = job.run / "config.yaml"
    try:
        config = run_config_from_yaml(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UserError):
        return None
    return config.recipe.schedule.epochs


def _left(job: Job, done: int, total: int) -> float | None:
    try:
        began = (job.run / "config.yaml").stat().st_mtime
        latest = (job.run / "metrics.csv").stat().st_mtime
    except OSError:
        return None
    return (latest - began) / done * (total - done) if done else None
