"""A logger: one line of JSON for every epoch (`--log json_lines`)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from yolor_gp.engine.loggers import LoggedRun, register_logger
from yolor_gp.engine.task import Picture


@register_logger("json_lines")
class JsonLines:
    """Appends to `epochs.jsonl` in the run folder."""

    def __init__(self, run: LoggedRun) -> None:
        self._file = (run.folder / "epochs.jsonl").open("a", encoding="utf-8")

    def epoch(self, number: int, figures: Mapping[str, float]) -> None:
        """One line."""
        self._file.write(json.dumps({"epoch": number, **figures}) + "\n")
        self._file.flush()

    def picture(self, name: str, picture: Picture, epoch: int) -> None:
        """Pictures have no place in lines of text."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()
