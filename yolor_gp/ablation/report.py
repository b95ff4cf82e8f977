"""The table, laid out: Markdown, CSV, LaTeX, and AP against FLOPs."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from yolor_gp.ablation.correlations import over_rows, over_runs
from yolor_gp.ablation.figures import RowFigures, Spread
from yolor_gp.ablation.folder import AblationFolder
from yolor_gp.ablation.subjects import Subject, subject_of
from yolor_gp.ablation.table_file import AblationTable, Row
from yolor_gp.files import whole_file, write_text

_PATHS = ("longest_shortest", "longest", "combinations", "sources")
_PROXY = (
    "This is a proxy: the rows are narrowed, the images smaller and fewer, the training shorter"
    " than the paper's. Its figures are not the paper's, and its order of rows need not be."
)


def write_report(folder: AblationFolder, rows: Sequence[RowFigures]) -> list[Path]:
    """Write report.md, table.csv, table.tex and against-flops.png into the folder.

    Raises:
        UserError: When one cannot be written.
    """
    subject = subject_of(folder.plan)
    written = [
        write_text(folder.path / "report.md", markdown_report(folder, rows)),
        write_text(folder.path / "table.csv", csv_table(subject, rows)),
        write_text(folder.path / "table.tex", latex_table(folder, rows)),
    ]
    if any(subject.main in row.found for row in rows):
        picture = folder.path / "against-flops.png"
        with whole_file(picture) as file:
            FigureCanvasAgg(against_flops(folder, rows)).print_png(file)  # type: ignore[no-untyped-call]
        written.append(picture)
    return written


def markdown_report(folder: AblationFolder, rows: Sequence[RowFigures]) -> str:
    """The whole report as text, with a link to each run's provenance."""
    plan, table, subject = folder.plan, folder.plan.table, subject_of(folder.plan)
    length = "the recipe's" if plan.epochs is None else f"{plan.epochs}"
    lines = [f"# {table.title}", ""]
    if plan.proxy is not None:
        lines += [f"**{_PROXY}**", ""]
    lines += [
        f"{table.source + '. ' if table.source else ''}Data: `{plan.data}`; recipe `{table.hyp}`,"
        f" {length} epochs, {table.img} px, batch {table.batch_size}, seeds"
        f" {', '.join(map(str, table.seeds))}. Validated {subject.protocol(plan)}, averaged"
        " weights of the last epoch.",
        "",
    ]
    if plan.proxy is not None:
        lines += [f"Narrowed: width x {plan.proxy.width:g}, depth x {plan.proxy.depth:g}.", ""]
    lines += [*_main_table(subject, rows, is_proxy=plan.proxy is not None), ""]
    lines += _differences(subject, table, rows) + _paths(subject, rows) + _runs(folder, rows)
    return "\n".join(lines)


def csv_table(subject: Subject, rows: Sequence[RowFigures]) -> str:
    """A line a row: everything that is known, empty where it is not."""
    names = [f"{name}{part}" for name in subject.figures for part in ("", "_deviation", "_printed")]
    header = ["row", "cfg", "gflops", "gflops_printed", "params_m", "params_m_printed", "seeds",
              *names, "longest_shortest", "longest", "combinations", "sources", "epochs_to_loss",
              "difference", "difference_low", "difference_high"]  # fmt: skip
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        values: list[object] = [
            row.row.name, row.row.cfg, round(row.gflops, 3), row.printed_gflops,
            round(row.params, 3), row.printed_params,
            max((spread.count for spread in row.found.values()), default=0),
        ]  # fmt: skip
        for name in subject.figures:
            spread = row.found.get(name)
            values += [
                spread and round(spread.mean, 2), spread and _number(spread.deviation),
                getattr(row.row.printed, name),
            ]  # fmt: skip
        paths, gap = row.paths, row.difference
        values += [paths and getattr(paths, key) for key in _PATHS]
        values.append(_number(row.epochs_to_loss))
        bounds = (None,) * 3 if gap is None else (gap.mean, gap.low, gap.high)
        values += [None if value is None else round(100 * value, 2) for value in bounds]
        writer.writerow(["" if value is None else value for value in values])
    return text.getvalue()


def latex_table(folder: AblationFolder, rows: Sequence[RowFigures]) -> str:
    """A booktabs table of what was measured, the printed figures in brackets."""
    figures = subject_of(folder.plan).figures
    shown = [name for name in figures if any(name in row.found for row in rows)]
    head = " & ".join(["Row", "FLOPs", "Params", *(figures[name].title for name in shown)])
    lines = [
        f"% {folder.plan.table.title}" + (" (proxy)" if folder.plan.proxy else ""),
        f"\\begin{{tabular}}{{l{'r' * (len(shown) + 2)}}}",
        "\\toprule",
        f"{head} \\\\",
        "\\midrule",
    ]  # fmt: skip
    for row in rows:
        cells = [_escaped(row.row.name), f"{_counted(row.gflops)} G", f"{_counted(row.params)} M"]
        for name in shown:
            printed = getattr(row.row.printed, name)
            cell = _plain(row.found.get(name)).replace("±", "$\\pm$")
            cells.append(cell if printed is None else f"{cell} [{printed:.1f}]")
        lines.append(" & ".join(cells) + " \\\\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


def against_flops(folder: AblationFolder, rows: Sequence[RowFigures]) -> Figure:
    """The main figure over GFLOPs with the spread over seeds; what the paper prints in grey."""
    subject = subject_of(folder.plan)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for row in rows:
        if subject.main in row.found:
            spread = row.found[subject.main]
            error = 0.0 if math.isnan(spread.deviation) else spread.deviation
            axes.errorbar(row.gflops, spread.mean, yerr=error, fmt="o", capsize=3)
            axes.annotate(row.row.name, (row.gflops, spread.mean), fontsize=8,
                          xytext=(5, 4), textcoords="offset points")  # fmt: skip
        printed = getattr(row.row.printed, subject.main)
        if row.printed_gflops is not None and printed is not None:
            axes.plot(row.printed_gflops, printed, "x", color="grey")
    axes.set(xlabel="GFLOPs", ylabel=subject.figures[subject.main].title,
             title=folder.plan.table.title + (" (proxy)" if folder.plan.proxy else ""))  # fmt: skip
    axes.margins(0.15)
    axes.grid(alpha=0.3)
    return figure


def _main_table(subject: Subject, rows: Sequence[RowFigures], *, is_proxy: bool) -> list[str]:
    known = [name for name in subject.figures if any(name in row.found for row in rows)]
    shown = known or [subject.main]
    titles = [title for name in shown for title in (subject.figures[name].title, "printed")]
    counted = ["GFLOPs", "Params M"] if is_proxy else ["GFLOPs", "printed", "Params M", "printed"]
    head = ["row", *counted, *titles]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        cells = [row.row.name, _counted(row.gflops)]
        if not is_proxy:
            cells.append(_printed(row.printed_gflops))
        cells.append(_counted(row.params))
        if not is_proxy:
            cells.append(_printed(row.printed_params))
        for name in shown:
            cells += [_plain(row.found.get(name)), _printed(getattr(row.row.printed, name))]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _differences(subject: Subject, table: AblationTable, rows: Sequence[RowFigures]) -> list[str]:
    unit, main, base = subject.unit, subject.main, table.row(table.base)
    told = [
        f"- {row.difference.words(row.row.name, base.name, unit)}"
        + _printed_difference(row.row, base, main)
        for row in rows
        if row.difference is not None
    ]
    if not told:
        return []
    head = [
        f"## What can be concluded ({subject.figures[main].title}, beside {base.name})", "",
        "Paired: same seeds, same order of data, same draws of augmentation. Intervals at 95%, by a"
        " bootstrap over seeds and images; with three seeds they are narrower than they should be.",
        "",
    ]  # fmt: skip
    spread = next((r.found[main] for r in rows if r.row == base and main in r.found), None)
    if spread is not None and not math.isnan(spread.deviation):
        head += [f"The base row alone spreads by {spread.deviation:.2f} {unit} over"
                 f" {spread.count} seeds.", ""]  # fmt: skip
    return [*head, *told, ""]


def _printed_difference(row: Row, base: Row, main: str) -> str:
    ours, bases = getattr(row.printed, main), getattr(base.printed, main)
    return "" if ours is None or bases is None else f" The paper prints {ours - bases:+.1f}."


def _paths(subject: Subject, rows: Sequence[RowFigures]) -> list[str]:
    title = subject.figures[subject.main].title
    head = [
        "row", "longest shortest path", "longest path", "combinations", "sources",
        "epochs to the loss that all reached by half time",
        "mean abs. gradient: first / middle / last third",
    ]  # fmt: skip
    lines = [
        f"## What the paper argues, beside {title}",
        "",
        f"| {' | '.join(head)} |",
    ]
    lines.append(f"|{'---|' * len(head)}")
    for row in rows:
        paths = row.paths
        counts = ["-"] * 4
        if paths is not None:
            numbers = (paths.longest_shortest, paths.longest, paths.combinations, paths.sources)
            counts = [str(number) for number in numbers]
        thirds = "-" if row.gradients is None else " / ".join(f"{g:.2e}" for g in row.gradients)
        epochs = "-" if math.isnan(row.epochs_to_loss) else f"{row.epochs_to_loss:.1f}"
        lines.append(f"| {' | '.join([row.row.name, *counts, epochs, thirds])} |")
    return [*lines, "", *_correlations(rows, subject)]


def _correlations(rows: Sequence[RowFigures], subject: Subject) -> list[str]:
    title, lines = subject.figures[subject.main].title, []
    for found, over, warning in (
        (over_rows(rows, subject.main), "rows", "with so few rows even 1.00 may be chance"),
        (over_runs(rows, subject.main), "runs, rows and seeds alike",
         "as if runs of one row were independent, which they are not"),
    ):  # fmt: skip
        if found:
            lines += [
                f"Spearman's rank correlation with {title} over {found[0].count} {over} (p in"
                f" brackets; {warning}): {', '.join(map(str, found))}.",
                "",
            ]
    return lines


def _runs(folder: AblationFolder, rows: Sequence[RowFigures]) -> list[str]:
    lines = ["## Runs", ""]
    for row in rows:
        links = [
            f"[seed {job.seed}]({job.run.relative_to(folder.path)}/provenance.json)"
            for job in row.jobs
            if job.evaluation.is_file()
        ]
        lines.append(f"- {row.row.name}: {', '.join(links) or 'none finished'}")
    return [*lines, ""]


def _plain(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    if math.isnan(spread.deviation):
        return f"{spread.mean:.1f}"
    return f"{spread.mean:.1f} ± {spread.deviation:.1f}"


def _counted(value: float) -> str:
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _printed(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 3)


def _escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in "&%$#_{}" else c for c in text)
