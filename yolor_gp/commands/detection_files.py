"""What `detect.py` writes and prints of each result."""

from __future__ import annotations

import re
import sys
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from yolor_gp.detection.writers.coco_json import DatasetJson, ResultsJson
from yolor_gp.detection.writers.csv_table import CsvTable
from yolor_gp.detection.writers.mot_txt import MotTxt
from yolor_gp.detection.writers.yolo_txt import write_detection_txt
from yolor_gp.media.annotated_files import AnnotatedFiles, free_path, write_image
from yolor_gp.results import Predictions, Result
from yolor_gp.visualize.draw import DrawingStyle
from yolor_gp.workers import AHEAD

_EVERYTHING = DrawingStyle()


class DetectionFiles:
    """Everything that is written of results, and the line that is printed of each.

    folder: of pictures and labels; style: of the pictures, None for no pictures; results_file,
    dataset_file: COCO JSON of either form; table_file: CSV; crops: the objects cut out; txt: YOLO
    label files (with scores when `txt_scores`); mot: text files of tracked objects.
    """

    def __init__(
        self,
        folder: Path,
        *,
        style: DrawingStyle | None = _EVERYTHING,
        results_file: str | Path | None = None,
        dataset_file: str | Path | None = None,
        table_file: str | Path | None = None,
        crops: bool = False,
        txt: bool = False,
        txt_scores: bool = False,
        mot: bool = False,
    ) -> None:
        self._folder, self._txt_scores, self._style = folder, txt_scores, style
        self._files = ((ResultsJson, results_file), (DatasetJson, dataset_file))
        self._table_file = table_file
        self._crops = folder / "crops" if crops else None
        self._labels = folder / "labels" if txt else None
        self._mot = folder / "mot" if mot else None
        self._pictures = None if style is None else AnnotatedFiles(folder)
        self._lists: list[ResultsJson | CsvTable | MotTxt] = []
        self._count, self._seconds, self._found = 0, 0.0, 0

    def write(self, results: Predictions, names: Sequence[str]) -> None:
        """Write every result. However it ends, the files written so far are whole."""
        started = time.perf_counter()
        if self._labels:
            self._labels.mkdir(exist_ok=True)
        with ExitStack() as open_files:
            open_files.callback(self._report, results, started)
            if self._pictures is not None:
                open_files.enter_context(self._pictures)
            for kind, file in self._files:
                if file is not None:
                    self._lists.append(open_files.enter_context(kind(Path(file), names)))
            if self._table_file is not None:
                table = CsvTable(Path(self._table_file), tuple(names))
                self._lists.append(open_files.enter_context(table))
            if self._mot is not None:
                self._lists.append(open_files.enter_context(MotTxt(self._mot)))
            # Drawn and written on a thread while the network looks at the next ones.
            writer = open_files.enter_context(ThreadPoolExecutor(1, "writer"))
            behind: deque[Future[None]] = deque()
            for result in results:
                behind.append(writer.submit(self._write, result, results.total))
                if len(behind) > AHEAD:
                    behind.popleft().result()
            for waiting in behind:
                waiting.result()

    def _write(self, result: Result, total: int | None) -> None:
        if self._pictures is not None and self._style is not None:
            self._pictures.write(result.source, result.drawn(self._style))
        if self._crops is not None:
            self._write_crops(result, self._crops)
        for file in self._lists:
            file.write(result.path, result.detections, result.frame)
        if self._labels is not None:
            path = free_path(self._labels, _name(result), ".txt")
            write_detection_txt(path, result.detections, with_score=self._txt_scores)
        self._print(result, total)

    def _write_crops(self, result: Result, folder: Path) -> None:
        for name, crop in zip(result.names, result.crops(), strict=True):
            of_class = folder / re.sub(r"[^\w -]", "_", name)
            of_class.mkdir(parents=True, exist_ok=True)
            write_image(free_path(of_class, _name(result)), crop)

    def _print(self, result: Result, total: int | None) -> None:
        self._count += 1
        self._seconds += result.seconds
        self._found += len(result)
        place = f"{self._count}/{total}" if total else str(self._count)
        height, width = result.image.shape[:2]
        words, milliseconds = result.summary(), 1000 * result.seconds
        print(f"{place} {result.path} {width}x{height}: {words}, {milliseconds:.1f} ms")

    def _report(self, results: Predictions, started: float) -> None:
        for problem in results.skipped:
            print(f"skipped: {problem}", file=sys.stderr)
        if not self._count:
            return
        whole = time.perf_counter() - started
        skipped = f", {len(results.skipped)} unreadable" if results.skipped else ""
        print(
            f"{self._count} images{skipped}, {self._found} objects in {whole:.1f} s "
            f"({1000 * self._seconds / self._count:.1f} ms an image in the network, "
            f"{1000 * whole / self._count:.1f} ms with reading, drawing and writing)"
        )
        print(f"results in {self._folder}")


def _name(result: Result) -> str:
    """What files of one picture are called: as the image, or the video with the frame's number."""
    if result.frame is None:
        return result.path
    return f"{Path(result.path.split('?')[0]).stem or 'stream'}_{result.frame:06d}.jpg"
