"""Detections as a table: a row an object."""

from __future__ import annotations

import csv
from pathlib import Path
from types import TracebackType
from typing import Any

from yolor_gp.structures.detections import Detections

COLUMNS = ("path", "frame", "name", "label", "score", "left", "top", "right", "bottom", "id")
"""Of the table; boxes in pixels of the image, `frame` is empty for images, `id` without
tracking."""


class CsvTable:
    """Writes rows as they come. A context manager."""

    def __init__(self, file: Path, names: tuple[str, ...]) -> None:
        self._path, self._names = file, names

    def __enter__(self) -> CsvTable:
        self._file = self._path.open("w", encoding="utf-8", newline="")
        self._rows: Any = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(COLUMNS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._file.close()

    def write(self, path: str, detections: Detections, frame: int | None) -> None:
        """Add the objects of one image or frame."""
        place = (path, "" if frame is None else frame)
        ids = [""] * len(detections) if detections.ids is None else detections.ids.tolist()
        columns = (detections.boxes, detections.scores, detections.labels)
        for box, score, label, one in zip(
            *(column.tolist() for column in columns), ids, strict=True
        ):
            edges = (f"{edge:.2f}" for edge in box)
            self._rows.writerow((*place, self._names[label], label, f"{score:.5f}", *edges, one))
