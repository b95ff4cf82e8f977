"""The live view as one self-contained HTML page: every run of a table."""

from __future__ import annotations

import html
import time
from collections.abc import Sequence
from pathlib import Path

from yolor_gp.ablation.folder import AblationFolder
from yolor_gp.ablation.progress import Progress, clock, summary, titles
from yolor_gp.files import write_text

PAGE = "index.html"
_REFRESH = 15
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem;
  color: #1c1e21; background: #fff; }
table { border-collapse: collapse; width: 100%; } td, th { padding: .35rem .6rem; text-align: left;
  border-bottom: 1px solid #ddd; vertical-align: top; } td.n { text-align: right;
  font-variant-numeric: tabular-nums; } .finished { color: #197a3d; } .running { color: #1257b8; }
.stopped { color: #9a5b00; } .waiting { color: #777; }
.note { background: #fff6dd; padding: .6rem; }
progress { width: 8rem; } @media (prefers-color-scheme: dark) { body { background: #16181b;
  color: #e4e6e9; } td, th { border-color: #3a3d41; } .note { background: #3a3212; } }
"""


def write_page(folder: AblationFolder, runs: Sequence[Progress]) -> Path:
    """Write index.html anew.

    Raises:
        UserError: When it cannot be written.
    """
    return write_text(folder.path / PAGE, page(folder, runs))


def page(folder: AblationFolder, runs: Sequence[Progress]) -> str:
    """The page as text; it reloads itself until everything is finished."""
    shown = titles(folder)
    rows = "\n".join(_line(run, shown) for run in runs)
    heads = "".join(f"<th>{title}</th>" for title in shown)
    is_over = all(run.status == "finished" for run in runs)
    refresh = "" if is_over else f'<meta http-equiv="refresh" content="{_REFRESH}">'
    title = html.escape(folder.plan.table.title)
    note = ('<p class="note">A proxy: narrowed rows, not the paper\'s figures.</p>'
            if folder.plan.proxy else "")  # fmt: skip
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{refresh}'
        f"<title>{title}</title>"
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f"<h1>{title}</h1>{note}<p>{html.escape(summary(runs))}. Written"
        f" {time.strftime('%Y-%m-%d %H:%M:%S')}.</p><table><thead><tr><th>row</th><th>seed</th>"
        f"<th>state</th><th>epochs</th><th>time left</th>{heads}</tr>"
        f'</thead><tbody>\n{rows}\n</tbody></table><p><a href="report.md">report.md</a> ·'
        ' <a href="table.csv">table.csv</a> · <a href="table.tex">table.tex</a> ·'
        ' <a href="against-flops.png">against-flops.png</a></p></body></html>\n'
    )


def _line(run: Progress, shown: Sequence[str]) -> str:
    bar = ""
    if run.total:
        bar = f'<progress value="{run.done}" max="{run.total}"></progress> {run.done}/{run.total}'
    known = [f"{run.found[title]:.1f}" if title in run.found else "" for title in shown]
    cells = "".join(f'<td class="n">{text}</td>' for text in known)
    return (
        f"<tr><td>{html.escape(run.row)}</td><td>{run.seed}</td>"
        f'<td class="{run.status}">{run.status}</td><td>{bar}</td>'
        f'<td class="n">{clock(run.left)}</td>{cells}</tr>'
    )
