"""Rows as JSON and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.work import Row

_VERDICT = {True: "yes", False: "**no**", None: "-"}


def to_json(rows: Sequence[Row], facts: Mapping[str, str]) -> str:
    """{"machine": {...}, "rows": [{"work", "ours", "peer", "peer_name", "ratio", ...}]}."""
    return json.dumps({"machine": dict(facts), "rows": [asdict(row) for row in rows]}, indent=1)


def to_markdown(rows: Sequence[Row], facts: Mapping[str, str]) -> str:
    """The facts in a line and a table."""
    lines = [
        "; ".join(f"{name} {value}" for name, value in facts.items()) + ".",
        "",
        *table(
            ("work", "yolor_gp", "peer", "", "ratio", "target", "met", "by processor time"),
            [
                (
                    row.title,
                    _measured(row.ours, row.unit, row.ours_range),
                    _measured(row.peer, row.unit, row.peer_range),
                    row.peer_name or "-",
                    _ratio(row.ratio),
                    row.target or "-",
                    _VERDICT[row.met],
                    _ratio(row.processor_ratio),
                )
                for row in rows
            ],
        ),
    ]
    notes = [
        f"- {row.title} ({row.peer_name or 'no peer'}): {row.note}" for row in rows if row.note
    ]
    return "\n".join([*lines, *(["", *notes] if notes else []), ""])


def table(head: Sequence[str], body: Sequence[Sequence[Any]]) -> list[str]:
    """Lines of a Markdown table."""
    rows = [head, ["---"] * len(head), *body]
    return ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{number(value)}x"


def _measured(value: float | None, unit: str, spread: tuple[float, float] | None) -> str:
    if value is None:
        return "-"
    text = f"{number(value)} {unit}"
    return text if spread is None else f"{text} ({number(spread[0])}-{number(spread[1])})"


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    digits = 0
    magnitude = abs(value)
    while magnitude < 100 and digits < 6:
        magnitude *= 10
        digits += 1
    return f"{value:.{digits}f}" if abs(value) < 100 else f"{value:,.0f}"
