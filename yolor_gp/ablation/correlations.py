"""Do figures that are known before a training, or early in it, order the rows as AP does?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import scipy.stats

from yolor_gp.ablation.figures import RowFigures, RunFigures


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation with the main figure.

    Attributes:
        name: Of the figure it is held against.
        value: In -1..1.
        p: Of its being chance, were the points independent.
        count: Points: rows, or runs.
    """

    name: str
    value: float
    p: float
    count: int

    def __str__(self) -> str:
        return f"{self.name} {self.value:+.2f} ({self.p:.2f})"


def over_rows(rows: Sequence[RowFigures], main: str) -> list[Correlation]:
    """What is counted in a row's network, against the mean over its seeds. main: the figure."""
    known = [row for row in rows if row.paths is not None and main in row.found]
    columns: dict[str, list[float]] = {
        "GFLOPs": [row.gflops for row in known],
        "parameters": [row.params for row in known],
        "longest shortest path": [row.paths.longest_shortest for row in known if row.paths],
        "longest path": [row.paths.longest for row in known if row.paths],
        "combinations": [row.paths.combinations for row in known if row.paths],
        "sources": [row.paths.sources for row in known if row.paths],
    }
    return _correlations(columns, [row.found[main].mean for row in known])


def over_runs(rows: Sequence[RowFigures], main: str) -> list[Correlation]:
    """What is measured while a run trains, against what the run came to. main: the figure."""
    runs = [run for row in rows for run in row.runs if main in run.found]
    columns = {"epochs to the loss": [run.epochs_to_loss for run in runs]}
    for third, name in enumerate(("first", "middle", "last")):
        columns[f"gradient in the {name} third"] = [_gradient(run, third) for run in runs]
    return _correlations(columns, [run.found[main] for run in runs])


def _gradient(run: RunFigures, third: int) -> float:
    return math.nan if run.gradients is None else run.gradients[third]


def _correlations(columns: dict[str, list[float]], reached: Sequence[float]) -> list[Correlation]:
    """Only of columns of at least three points, all known, and not all equal."""
    found = []
    for name, values in columns.items():
        if len(values) >= 3 and len(set(values)) > 1 and not math.isnan(fmean(values)):
            result = scipy.stats.spearmanr(values, reached)
            found.append(
                Correlation(name, float(result.statistic), float(result.pvalue), len(values))
            )
    return found
