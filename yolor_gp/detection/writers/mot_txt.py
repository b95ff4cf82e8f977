"""Tracked objects in the text form of the MOT challenges, a file a sequence."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import IO

from yolor_gp.detection.tracking import sequence_of
from yolor_gp.media.annotated_files import free_path
from yolor_gp.structures.detections import Detections


class MotTxt:
    """Writes `frame,id,left,top,width,height,score,-1,-1,-1` for every object as it comes.

    Frames count from 1, boxes are in pixels. A context manager: leaving it closes the last file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sequence: str | None = None
        self._file: IO[str] | None = None

    def __enter__(self) -> MotTxt:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, path: str, detections: Detections, frame: int | None) -> None:
        """Add the objects of one frame of a video, or of the next image of a folder."""
        sequence = sequence_of(path, is_video=frame is not None)
        if self._file is None or sequence != self._sequence:
            self.__exit__(None, None, None)
            self._sequence, self._images = sequence, 0
            self._file = free_path(self._folder, sequence, ".txt").open("w", encoding="utf-8")
        self._images += 1
        number = self._images if frame is None else frame + 1
        columns = (detections.ids, detections.boxes, detections.scores)
        for one, box, score in zip(*(c.tolist() for c in columns if c is not None), strict=True):
            left, top, right, bottom = box
            place = f"{left:.2f},{top:.2f},{right - left:.2f},{bottom - top:.2f}"
            self._file.write(f"{number},{one},{place},{score:.5f},-1,-1,-1\n")
