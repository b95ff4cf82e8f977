"""The tables of arXiv 2211.04800: what its rows count to here, beside what it prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from yolor_gp.config.model_spec import load_model_spec
from yolor_gp.config.shipped import shipped_files
from yolor_gp.models.summary import summarize


def paper_rows() -> list[dict[str, Any]]:
    """One entry per shipped file that stands for a row, in the order of the tables.

    Keys: table, row, config (shipped name), gflops (10^9), params (count), and printed_gflops,
    printed_params in the same units, None where the paper prints none.
    """
    files = [*shipped_files("imagenet"), *shipped_files("paper")]
    rows = []
    for spec in map(load_model_spec, files):
        if not spec.printed:
            continue
        summary = summarize(spec)
        millions = spec.printed.get("params")
        rows.append(
            {
                "table": spec.printed["table"],
                "row": spec.printed["row"],
                "config": spec.name,
                "gflops": summary.gflops,
                "params": summary.params,
                "printed_gflops": spec.printed["gflops"],
                "printed_params": None if millions is None else round(millions * 1e6),
            }
        )
    return sorted(rows, key=lambda row: (row["table"], row["config"]))


def markdown_table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as Markdown, FLOPs in G and parameters in M, with the difference in percent."""
    lines = [
        "| Table | Row | Config | GFLOPs | printed | diff. | Params M | printed | diff. |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [
            str(row["table"]),
            row["row"],
            row["config"],
            *_compared(row["gflops"], row["printed_gflops"]),
            *_compared(row["params"] / 1e6, (row["printed_params"] or 0) / 1e6 or None),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _compared(counted: float, printed: float | None) -> list[str]:
    if printed is None:
        return [f"{counted:.3f}", "", ""]
    return [f"{counted:.3f}", f"{printed:g}", f"{100 * (counted / printed - 1):+.2f}%"]
