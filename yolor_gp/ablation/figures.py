"""What is known of each row: counted before training, measured in it, and found after it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import scipy.stats

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
class RowFigures:
    """A row of the table, as far as it is known.

    Attributes:
        row: The row.
        gflops: Counted as the paper counts, at the table's image size.
        params: Parameters in millions, after folding.
        printed_gflops: As the paper prints, None where it doesn't or for a proxy.
        printed_params: Likewise, millions.
        found: By the names of the subject's figures, in percent; only those that are known.
        paths: None where the network cannot be traced.
        steps: Updates until the loss fell to `RowsFigures.loss`, mean over seeds; NaN: never.
        gradients: Mean |gradient| of the first, middle and last third of the layers, over seeds.
        difference: From the base row.
        jobs: Its runs.
    """

    row: Row
    gflops: float
    params: float
    printed_gflops: float | None
    printed_params: float | None
    found: dict[str, Spread]
    paths: Paths | None
    steps: float
    gradients: tuple[float, float, float] | None
    difference: Difference | None
    jobs: tuple[Job, ...]


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


def rank_correlations(rows: Sequence[RowFigures], main: str) -> dict[str, tuple[float, float]]:
    """Spearman's rank correlation of what can be known beforehand with a figure, and its p-value.

    Only where at least three rows have both, and not all are equal. main: the figure's name.
    """
    known = [row for row in rows if row.paths is not None and main in row.found]
    reached = [row.found[main].mean for row in known]
    columns: dict[str, list[float]] = {
        "GFLOPs": [row.gflops for row in known],
        "parameters": [row.params for row in known],
        "longest shortest path": [row.paths.longest_shortest for row in known if row.paths],
        "longest path": [row.paths.longest for row in known if row.paths],
        "combinations": [row.paths.combinations for row in known if row.paths],
        "sources": [row.paths.sources for row in known if row.paths],
        "updates to the loss": [row.steps for row in known],
    }
    found = {}
    for name, values in columns.items():
        if len(values) >= 3 and len(set(values)) > 1 and not any(map(math.isnan, values)):
            result = scipy.stats.spearmanr(values, reached)
            found[name] = (float(result.statistic), float(result.pvalue))
    return found


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
    evaluations = [found for job in jobs if (found := job.figures()) is not None]
    found = {}
    for name, figure in subject.figures.items():
        values = [value for one in evaluations if (value := figure.of(one)) is not None]
        if values:
            found[name] = _spread(values)
    return RowFigures(
        row=row,
        gflops=summary.gflops,
        params=summary.params / 1e6,
        printed_gflops=printed.get("gflops"),
        printed_params=printed.get("params"),
        found=found,
        paths=_paths(folder.model(row)),
        steps=_mean([_updates_to(job, loss) for job in jobs if job.figures() is not None]),
        gradients=_gradients([job.run / "gradients.json" for job in jobs]),
        difference=difference,
        jobs=jobs,
    )


def _spread(values: Sequence[float]) -> Spread:
    deviation = stdev(values) if len(values) > 1 else float("nan")
    return Spread(fmean(values), deviation, len(values))


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else float("nan")


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
    """The lowest mean loss of an epoch that every finished run came to."""
    lows = [
        min(losses)
        for row in jobs.values()
        for job in row
        if job.figures() is not None and (losses := _losses(job))
    ]
    return max(lows) if lows else None


def _losses(job: Job) -> list[float]:
    return [row[_LOSS] for row in job.history() if not math.isnan(row.get(_LOSS, math.nan))]


def _updates_to(job: Job, loss: float | None) -> float:
    """Epochs until the mean loss of one was at most `loss`; NaN when it never was."""
    losses = _losses(job)
    reached = [
        index + 1 for index, value in enumerate(losses) if loss is not None and value <= loss
    ]
    return float(reached[0]) if reached else float("nan")


def _gradients(files: Sequence[Path]) -> tuple[float, float, float] | None:
    """Mean |gradient| of thirds of the layers in the order of the network, over the runs."""
    runs = []
    for file in files:
        if file.is_file():
            means = [row.mean_absolute_gradient for row in gradient_rows(load_gradients(file))]
            runs.append([float(np.mean(part)) for part in np.array_split(means, 3)])
    if not runs:
        return None
    first, middle, last = np.mean(runs, axis=0).tolist()
    return first, middle, last
