"""The live view: every run of a table in one self-contained HTML page, and in a line."""

from __future__ import annotations

import html
import math
import time
from collections import Counter
from pathlib import Path

from yolor_gp.ablation.folder import AblationFolder, Job, Status
from yolor_gp.config.run_config import run_config_from_yaml
from yolor_gp.errors import UserError
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


def write_page(folder: AblationFolder, stale: float) -> Path:
    """Write index.html anew.

    Raises:
        UserError: When it cannot be written.
    """
    return write_text(folder.path / PAGE, page(folder, stale))


def page(folder: AblationFolder, stale: float) -> str:
    """The page as text; it reloads itself until everything is finished."""
    jobs = folder.jobs()
    rows = "\n".join(_line(job, job.status(stale)) for job in jobs)
    is_over = all(job.evaluation.is_file() for job in jobs)
    refresh = "" if is_over else f'<meta http-equiv="refresh" content="{_REFRESH}">'
    title = html.escape(folder.plan.table.title)
    note = ('<p class="note">A proxy: narrowed rows, not the paper\'s figures.</p>'
            if folder.plan.proxy else "")  # fmt: skip
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{refresh}'
        f"<title>{title}</title>"
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f"<h1>{title}</h1>{note}<p>{html.escape(summary(folder, stale))}. Written"
        f" {time.strftime('%Y-%m-%d %H:%M:%S')}.</p><table><thead><tr><th>row</th><th>seed</th>"
        "<th>state</th><th>epochs</th><th>time left</th><th>box AP</th><th>mask AP</th></tr>"
        f'</thead><tbody>\n{rows}\n</tbody></table><p><a href="report.md">report.md</a> ·'
        ' <a href="table.csv">table.csv</a> · <a href="table.tex">table.tex</a> ·'
        ' <a href="ap-flops.png">ap-flops.png</a></p></body></html>\n'
    )


def summary(folder: AblationFolder, stale: float) -> str:
    """How many runs are finished, running, ..., in a line."""
    count = Counter(job.status(stale) for job in folder.jobs())
    words: tuple[Status, ...] = ("finished", "running", "stopped", "waiting")
    return ", ".join(f"{count[word]} {word}" for word in words if count[word])


def _line(job: Job, status: str) -> str:
    history, total = job.history(), _epochs(job)
    done = len(history)
    bar = f'<progress value="{done}" max="{total}"></progress> {done}/{total}' if total else ""
    left = _left(job, done, total) if status == "running" and total else ""
    cells = "".join(f'<td class="n">{value}</td>' for value in _aps(job, history))
    return (
        f"<tr><td>{html.escape(job.row.name)}</td><td>{job.seed}</td>"
        f'<td class="{status}">{status}</td><td>{bar}</td><td class="n">{left}</td>{cells}</tr>'
    )


def _aps(job: Job, history: list[dict[str, float]]) -> tuple[str, str]:
    figures = job.figures()
    if figures is not None:
        parts = [figures.get(kind, {}).get("AP") for kind in ("bbox", "segm")]
    else:
        names = ("val/box AP", "val/mask AP")
        known = [[v for row in history if not math.isnan(v := row.get(n, math.nan))] for n in names]
        parts = [values[-1] if values else None for values in known]
    box, mask = ["" if part is None else f"{100 * part:.1f}" for part in parts]
    return box, mask


def _epochs(job: Job) -> int | None:
    file = job.run / "config.yaml"
    try:
        return run_config_from_yaml(
            file.read_text(encoding="utf-8"), str(file)
        ).recipe.schedule.epochs
    except (OSError, UserError):
        return None


def _left(job: Job, done: int, total: int) -> str:
    """By the time that the epochs so far have taken; a stop in between counts in."""
    try:
        began = (job.run / "config.yaml").stat().st_mtime
        latest = (job.run / "metrics.csv").stat().st_mtime
    except OSError:
        return ""
    if not done:
        return ""
    seconds = int((latest - began) / done * (total - done))
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
