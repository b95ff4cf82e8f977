"""The picture of a training: every column of metrics.csv over the epochs."""

from __future__ import annotations

import csv
from pathlib import Path

from yolor_gp.visualize.plots import plot_training

_LEFT_OUT = ("skipped",)


def write_training_plot(folder: Path) -> Path | None:
    """Draw `folder/metrics.csv` as `curves.png`; None where there is nothing to draw."""
    file = folder / "metrics.csv"
    if not file.is_file():
        return None
    with file.open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    if not rows:
        return None
    columns = {
        name: [float(row[name]) if row[name] else float("nan") for row in rows]
        for name in rows[0]
        if name not in _LEFT_OUT
    }
    picture = folder / "curves.png"
    plot_training(columns, picture)
    return picture
