"""What distinguishes runs: their figures, their curves, their classes and their settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from yolor_gp.run_report.evidence import Evidence
from yolor_gp.structures.eval_result import COLUMNS
from yolor_gp.visualize.page import picture, section, table
from yolor_gp.visualize.plots import plot_curves

_CURVE = "val/box AP"


def comparison(runs: Sequence[Evidence]) -> str:
    """Sections that hold the runs beside each other; differences are from the first."""
    sections = [section("Figures", _figures(runs))]
    curves = {
        run.name: ([row["epoch"] for row in run.history], [row[_CURVE] for row in run.history])
        for run in runs
        if run.history and _CURVE in run.history[0]
    }
    if curves:
        drawn = picture(
            lambda file: plot_curves(curves, file, "box AP over the epochs", "epoch"),
            "on the way, averaged weights",
        )
        sections.append(section("How they went", drawn))
    sections.append(section("Classes", _classes(runs)))
    differing = _settings(runs)
    if differing:
        sections.append(section("Settings that differ", differing))
    return "\n".join(sections)


def _figures(runs: Sequence[Evidence]) -> str:
    rows = []
    for part in runs[0].found.result.parts:
        for key in COLUMNS:
            found = [run.found.result.parts.get(part) for run in runs]
            values = [None if figures is None else figures[key] for figures in found]
            rows.append([f"{part} {key}", *_beside(values)])
    params = [run.summary.params / 1e6 for run in runs]
    rows.append(["parameters, M", *(f"{value:.2f}" for value in params)])
    rows.append(["GFLOPs", *(f"{run.summary.gflops:.2f}" for run in runs)])
    rows.append(["input, px", *(str(run.size) for run in runs)])
    rows.append(["data", *(run.data for run in runs)])
    return table(["", *(run.name for run in runs)], rows)


def _classes(runs: Sequence[Evidence]) -> str:
    per_class = [run.found.result.bbox.per_class for run in runs]
    rows = [[name, *_beside([found.get(name) for found in per_class])] for name in runs[0].names]
    return table(["box AP", *(run.name for run in runs)], rows)


def _settings(runs: Sequence[Evidence]) -> str:
    flat = [dict(_flat(run.config.model_dump(mode="json"))) if run.config else {} for run in runs]
    keys = dict.fromkeys(key for settings in flat for key in settings)
    rows = [
        [key, *(str(settings.get(key, "-")) for settings in flat)]
        for key in keys
        if len({str(settings.get(key)) for settings in flat}) > 1
    ]
    return table(["", *(run.name for run in runs)], rows) if rows else ""


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Nested keys as `recipe.schedule.epochs`.

    Yields:
        Key and value of every leaf.
    """
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield before + key, value


def _beside(values: Sequence[float | None]) -> list[str]:
    """In percent, with the difference from the first."""
    first, *others = values
    return [_percent(first), *(_with_difference(value, first) for value in others)]


def _with_difference(value: float | None, first: float | None) -> str:
    text = _percent(value)
    if value is None or first is None or min(value, first) < 0:
        return text
    return f"{text} ({100 * (value - first):+.1f})"


def _percent(value: float | None) -> str:
    return "-" if value is None or value < 0 else f"{100 * value:.1f}"
