"""What is known of each row: counted before training, measured in it, and found after it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np

from yolor_gp.ablation.folder import AblationFolder, Job
from yolor_gp.ablation.paired import Difference, paired_difference
from yolor_gp.ablation.subjects import Subject, subject_of
from yolor_gp.ablation.table_file import Row
from yolor_gp.analysis.gradient_flow import gradient_rows, load_gradients
from yolor_gp.analysis.paths.gradient_paths import analyse
from yolor_gp.analysis.paths.graph import read_graph
from yolor_gp.analysis.paths.network_sources import open_network
from yolor_gp.config.model_spec import load_model_spec
from yolor_gp.errors import UserError
from yolor_gp.models.summary import summarize

_LOSS = "train/total"


@dataclass(frozen=True)
class Spread:
    """A figure over the seeds: mean, sample standard deviation (NaN for one), and how many."""

    mean: float
    deviation: float
    count: int


@dataclass(frozen=True)
class Paths:
    """Gradient paths of a row's network: see `analysis.paths` [GP, sec. 2.2]."""

    longest_shortest: int
    longest: int
    combinations: int
    sources: int


@dataclass(frozen=True)
class RunFigures:
    """A finished run.

    Attributes:
        seed: Of the run.
        found: By the names of the subject's figures, in percent; only those that are known.
        epochs_to_loss: Until the mean loss of an epoch came to what all runs had come to after half
            of their epochs; between epochs on a straight line. NaN: there is none.
        gradients: Mean |gradient| of the first, middle and last third of the layers.
    """

    seed: int
    found: dict[str, float]
    epochs_to_loss: float
    gradients: tuple[float, ...] | None


@dataclass(frozen=True)
class RowFigures:
    """A row of the table, as far as it is known.

    Attributes:
        row: The row.
        gflops: Counted as the paper counts, at the table's image size.
        params: Parameters in millions, after folding.
        printed_gflops: As the paper prints, None where it doesn't or for a proxy.
        printed_params: Likewise, millions.
        paths: None where the network cannot be traced.
        runs: The finished ones.
        difference: From the base row.
        jobs: Its runs, finished or not.
    """

    row: Row
    gflops: float
    params: float
    printed_gflops: float | None
    printed_params: float | None
    paths: Paths | None
    runs: tuple[RunFigures, ...]
    difference: Difference | None
    jobs: tuple[Job, ...]

    @property
    def found(self) -> dict[str, Spread]:
        """Over the seeds, by the names of the subject's figures; only those that are known."""
        names = {name: None for run in self.runs for name in run.found}
        return {name: _spread([run.found[name] for run in self.runs if name in run.found])
                for name in names}  # fmt: skip

    @property
    def epochs_to_loss(self) -> float:
        """Mean over the seeds; NaN: there is none."""
        return fmean(run.epochs_to_loss for run in self.runs) if self.runs else math.nan

    @property
    def gradients(self) -> tuple[float, ...] | None:
        """Of each third of the layers, mean over the seeds that kept them."""
        kept = [run.gradients for run in self.runs if run.gradients is not None]
        return tuple(np.mean(kept, axis=0).tolist()) if kept else None


def table_figures(folder: AblationFolder, *, draws: int = 1000) -> list[RowFigures]:
    """Gather everything that the folder holds, row by row.

    Raises:
        UserError: When a file of a run cannot be read.
    """
    table, subject = folder.plan.table, subject_of(folder.plan)
    jobs = {row.key: tuple(job for job in folder.jobs() if job.row == row) for row in table.rows}
    outcomes = {}
    if folder.plan.proxy is not None:
        outcomes = {key: subject.outcomes(folder, runs) for key, runs in jobs.items()}
    base = table.row(table.base).key
    loss = _reached_by_all(jobs)
    return [
        _row(folder, subject, row, jobs[row.key], loss, None if row.key == base or not outcomes
             else paired_difference(outcomes[row.key], outcomes[base], draws=draws))
        for row in table.rows
    ]  # fmt: skip


def _row(
    folder: AblationFolder,
    subject: Subject,
    row: Row,
    jobs: tuple[Job, ...],
    loss: float | None,
    difference: Difference | None,
) -> RowFigures:
    spec = load_model_spec(folder.model(row))
    summary = summarize(spec, folder.plan.table.img)
    printed = {} if folder.plan.proxy else spec.printed
    runs = [_run(job, found, subject, loss) for job in jobs if (found := job.figures()) is not None]
    return RowFigures(
        row=row,
        gflops=summary.gflops,
        params=summary.params / 1e6,
        printed_gflops=printed.get("gflops"),
        printed_params=printed.get("params"),
        paths=_paths(folder.model(row)),
        runs=tuple(runs),
        difference=difference,
        jobs=jobs,
    )


def _run(job: Job, evaluation: dict[str, Any], subject: Subject, loss: float | None) -> RunFigures:
    values = {name: figure.of(evaluation) for name, figure in subject.figures.items()}
    found = {name: value for name, value in values.items() if value is not None}
    return RunFigures(
        job.seed, found, _epochs_to(_losses(job), loss), _gradients(job.run / "gradients.json")
    )


def _spread(values: Sequence[float]) -> Spread:
    deviation = stdev(values) if len(values) > 1 else float("nan")
    return Spread(fmean(values), deviation, len(values))


@cache
def _paths(model: str) -> Paths | None:
    source = open_network(model)
    try:
        graph = read_graph(source.network, source.example, name=source.name, entry=source.entry)
    except UserError:
        return None
    total = analyse(graph).total
    if total.longest_shortest is None or total.longest is None:
        return None
    return Paths(total.longest_shortest, total.longest, total.combinations, total.sources)


def _reached_by_all(jobs: dict[str, tuple[Job, ...]]) -> float | None:
    """The mean loss of an epoch that every finished run came to in the first half of its epochs."""
    lows = [
        min(losses[: (len(losses) + 1) // 2])
        for row in jobs.values()
        for job in row
        if job.figures() is not None and (losses := _losses(job))
    ]
    return max(lows) if lows else None


def _losses(job: Job) -> list[float]:
    return [row[_LOSS] for row in job.history() if not math.isnan(row.get(_LOSS, math.nan))]


def _epochs_to(losses: Sequence[float], loss: float | None) -> float:
    """See `RunFigures.epochs_to_loss`."""
    for epoch, value in enumerate(losses):
        if loss is not None and value <= loss:
            before = losses[epoch - 1] if epoch else value
            return epoch + ((before - loss) / (before - value) if epoch else 1.0)
    return math.nan


def _gradients(file: Path) -> tuple[float, ...] | None:
    """Mean |gradient| of thirds of the layers in the order of the network."""
    if not file.is_file():
        return None
    means = [row.mean_absolute_gradient for row in gradient_rows(load_gradients(file))]
    return tuple(float(np.mean(part)) for part in np.array_split(means, 3))
