"""metrics.csv and TensorBoard: what a run has measured, also after a resume."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from yolor_gp.engine.task import Picture


class MetricsLog:
    """Rows of `metrics.csv` (one per epoch) and TensorBoard events in `folder`.

    The whole table is written anew, beside and renamed, from the history that checkpoints carry:
    after a resume it holds neither gaps nor epochs that were undone.
    """

    def __init__(self, folder: Path, *, resumed_at: int | None = None) -> None:
        self._file = folder / "metrics.csv"
        self._board = _open_board(folder, resumed_at)

    def epoch(self, history: list[dict[str, float]]) -> None:
        """Write the table; send the newest row to TensorBoard."""
        partial = self._file.with_name(self._file.name + ".partial")
        partial.write_text(as_csv(history), encoding="utf-8")
        partial.replace(self._file)
        row = dict(history[-1])
        epoch = int(row.pop("epoch"))
        for name, value in row.items():
            self._board.add_scalar(name, value, epoch)
        self._board.flush()

    def picture(self, name: str, picture: Picture, step: int) -> None:
        """Show u8[H, W, 3] RGB in TensorBoard."""
        self._board.add_image(name, picture, step, dataformats="HWC")
        self._board.flush()

    def close(self) -> None:
        """Flush and close."""
        self._board.close()


def as_csv(history: list[dict[str, float]]) -> str:
    """A table with every column that occurs in any row; empty where a row has none."""
    columns = list(dict.fromkeys(name for row in history for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in history:
        writer.writerow({name: _number(value) for name, value in row.items()})
    return text.getvalue()


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f"{value:.6g}"


def _open_board(folder: Path, resumed_at: int | None) -> Any:
    # Slow to import, and only the process that writes needs it.
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=None if resumed_at is None else resumed_at + 1)
