"""Measure the curves and the ranks, and put them into words."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from benchmarks.growth.curves import CURVES, Curve, Say, measure_curve
from benchmarks.growth.measure import MODEL
from benchmarks.growth.ranks import COUNTS, RankFigures, measure_ranks, model_table
from benchmarks.report import number, table
from benchmarks.settings import Settings

RANKS = "ranks"
NAMES = (*CURVES, RANKS)

_LARGE = ("yolor-csp", 54.3e6)
_LARGE_STEP = 0.25
"""Seconds; a step of 64 images at 256 images/s, an assumption until it is measured."""


def measure_growth(
    names: list[str], settings: Settings, say: Say
) -> tuple[list[Curve], RankFigures | None]:
    """The named curves (all without names) and, when asked for, the ranks."""
    wanted = [name for name in NAMES if not names or name.startswith(tuple(names))]
    curves = []
    for name in wanted:
        say(name)
        if name != RANKS:
            curves.append(measure_curve(name, settings, say))
    return curves, measure_ranks(settings) if RANKS in wanted else None


def to_data(curves: list[Curve], ranks: RankFigures | None) -> dict[str, Any]:
    """Plain values for JSON."""
    return {"curves": [asdict(curve) for curve in curves], "ranks": ranks and asdict(ranks)}


def to_markdown(curves: list[Curve], ranks: RankFigures | None) -> str:
    """A table each."""
    lines: list[str] = []
    for curve in curves:
        body = [
            (f"{quantity:,.0f}", *(number(point[key]) for key in curve.keys))
            for quantity, point in curve.points
        ]
        lines += [f"**{curve.title}**", "", *table(curve.heads, body), ""]
    return "\n".join([*lines, *(_ranks(ranks) if ranks is not None else [])])


def _ranks(found: RankFigures) -> list[str]:
    share = found.alone_together / found.together
    heads = ("link", *(f"{count} ranks" for count in COUNTS))
    name, numbers = _LARGE
    return [
        f"**ranks: a training step of {MODEL}, 4 images of 320 a rank, one thread a rank, gloo**",
        "",
        *table(
            ("one alone s", "two, exchanging nothing s", "two ranks s", "all-reduce alone s"),
            [
                [
                    number(value)
                    for value in (
                        found.alone,
                        found.alone_together,
                        found.together,
                        found.exchange,
                    )
                ]
            ],
        ),
        "",
        f"Two ranks keep {share:.0%} of the throughput of two processes that exchange nothing.",
        "",
        "Beyond two, modelled: a ring all-reduce sends 2 (N - 1) / N times the gradients (float32)"
        " over every rank's link, at the link's stated speed and without overlap with the backward"
        " pass, so efficiency is step / (step + exchange), a lower bound.",
        "",
        f"{MODEL}, {found.parameters / 1e6:.2f} M parameters, the step measured above:",
        "",
        *table(heads, model_table(found.alone, found.parameters)),
        "",
        f"{name}, {numbers / 1e6:.1f} M parameters, assuming a step of {_LARGE_STEP:g} s:",
        "",
        *table(heads, model_table(_LARGE_STEP, numbers)),
        "",
    ]
