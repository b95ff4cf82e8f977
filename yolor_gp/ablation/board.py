"""The live view in a terminal: a line a run, written over again and again."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TextIO

from yolor_gp.ablation.progress import Progress, clock, summary

_BAR = 20
_CLEAR = "\x1b[J"


class Board:
    """Draws runs on a terminal and leaves the cursor above them.

    So other lines that are written meanwhile begin where the board began, and the next drawing
    goes below them.
    """

    def __init__(self, terminal: TextIO, title: str) -> None:
        self._terminal, self._title = terminal, title

    def draw(self, runs: Sequence[Progress]) -> None:
        """Write the runs over what was written before."""
        columns, rows = shutil.get_terminal_size()
        lines = [line[: columns - 1] for line in board_lines(self._title, runs, rows - 2)]
        text = "".join(f"{line}\n" for line in lines)
        self._terminal.write(f"{_CLEAR}\n{text}\x1b[{len(lines) + 1}F")
        self._terminal.flush()

    def close(self) -> None:
        """Wipe it off."""
        self._terminal.write(_CLEAR)
        self._terminal.flush()


def board_lines(title: str, runs: Sequence[Progress], most: int) -> list[str]:
    """A headline and a line a run; where there are more than `most`, those that run come first."""
    shown = list(runs)
    hidden = len(shown) + 1 - most
    if hidden > 0:
        running = [run for run in runs if run.status == "running"]
        others = [run for run in runs if run.status != "running"]
        shown = (running + others)[: max(most - 2, 1)]
    name = max((len(run.row) for run in shown), default=0)
    lines = [f"{title}: {summary(runs)}", *(_line(run, name) for run in shown)]
    return [*lines, f"and {len(runs) - len(shown)} more"] if len(shown) < len(runs) else lines


def _line(run: Progress, width: int) -> str:
    done = 0.0 if not run.total else run.done / run.total
    bar = "#" * round(done * _BAR)
    epochs = f"{run.done}/{run.total}" if run.total else ""
    found = ", ".join(f"{title} {value:.1f}" for title, value in run.found.items())
    return (
        f"{run.row:{width}}  seed {run.seed}  {run.status:8}  [{bar:{_BAR}}] {epochs:>9}"
        f"  {clock(run.left):>9}  {found}"
    ).rstrip()
