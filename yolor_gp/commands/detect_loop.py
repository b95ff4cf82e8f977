"""From a source of frames to everything `detect.py` writes, a few frames in memory at a time."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yolor_gp.config.suggest import did_you_mean
from yolor_gp.detection.writers.coco_json import DetectionJson
from yolor_gp.detection.writers.yolo_txt import write_detection_txt
from yolor_gp.errors import raise_problems
from yolor_gp.media.annotated_files import AnnotatedFiles, free_path
from yolor_gp.media.sources import Frame, Source
from yolor_gp.structures.detections import Detections
from yolor_gp.visualize.draw import draw_detections

Predict = Callable[[Sequence[NDArray[np.uint8]]], list[Detections]]


class DetectionLoop:
    """predict: images to detections in their own pixels; folder: where everything is written.

    json_file, txt: also a COCO JSON, also YOLO label files (with scores when `txt_scores`).
    """

    def __init__(
        self,
        predict: Predict,
        names: Sequence[str],
        folder: Path,
        *,
        batch_size: int = 1,
        images: bool = True,
        json_file: Path | None = None,
        txt: bool = False,
        txt_scores: bool = False,
    ) -> None:
        self._predict, self._names, self._folder = predict, names, folder
        self._batch_size, self._txt_scores = batch_size, txt_scores
        self._labels = folder / "labels" if txt else None
        self._files = AnnotatedFiles(folder) if images else None
        self._json = DetectionJson(json_file, names) if json_file else None
        self._count, self._seconds, self._found = 0, 0.0, 0

    def run(self, source: Source) -> None:
        """Look at every frame. However it ends, the files written so far are whole."""
        started = time.perf_counter()
        if self._labels:
            self._labels.mkdir(exist_ok=True)
        with ExitStack() as open_files:
            open_files.callback(self._report, source, started)
            for writer in (self._files, self._json):
                if writer is not None:
                    open_files.enter_context(writer)
            for frames in _batches(source, self._batch_size):
                self._look_at(frames, source.total)

    def _look_at(self, frames: Sequence[Frame], total: int | None) -> None:
        started = time.perf_counter()
        found = self._predict([frame.image for frame in frames])
        seconds = (time.perf_counter() - started) / len(frames)
        for frame, detections in zip(frames, found, strict=True):
            self._count += 1
            self._seconds += seconds
            self._found += len(detections)
            self._write(frame, detections)
            place = f"{self._count}/{total}" if total else str(self._count)
            height, width = detections.image_size
            objects = summary(detections, self._names)
            print(f"{place} {frame.path} {width}x{height}: {objects}, {1000 * seconds:.1f} ms")

    def _write(self, frame: Frame, detections: Detections) -> None:
        number = None if frame.video is None else frame.index
        if self._files is not None:
            picture = draw_detections(frame.image, detections, self._names)
            self._files.write(frame, picture)
        if self._json is not None:
            self._json.write(frame.path, detections, number)
        if self._labels is not None:
            source = frame.path
            if number is not None:
                source = f"{Path(frame.path.split('?')[0]).stem or 'stream'}_{number:06d}.jpg"
            path = free_path(self._labels, source, ".txt")
            write_detection_txt(path, detections, with_score=self._txt_scores)

    def _report(self, source: Source, started: float) -> None:
        for problem in source.skipped:
            print(f"skipped: {problem}", file=sys.stderr)
        if not self._count:
            return
        whole = time.perf_counter() - started
        skipped = f", {len(source.skipped)} unreadable" if source.skipped else ""
        print(
            f"{self._count} images{skipped}, {self._found} objects in {whole:.1f} s "
            f"({1000 * self._seconds / self._count:.1f} ms an image in the network, "
            f"{1000 * whole / self._count:.1f} ms with reading, drawing and writing)"
        )
        print(f"results in {self._folder}")


def summary(detections: Detections, names: Sequence[str]) -> str:
    """`3 person, 1 dog`, in the order of the classes; `nothing` when there is none."""
    counts = Counter(detections.labels.tolist())
    words = [f"{count} {names[label]}" for label, count in sorted(counts.items())]
    return ", ".join(words) or "nothing"


def chosen_classes(wanted: Sequence[str] | None, names: Sequence[str]) -> tuple[int, ...] | None:
    """Labels of classes given by name or number; None for all. Raises `UserError`."""
    if wanted is None:
        return None
    labels, problems = [], []
    for word in wanted:
        if word in names:
            labels.append(list(names).index(word))
        elif word.isdecimal() and int(word) < len(names):
            labels.append(int(word))
        elif word.isdecimal():
            problems.append(f"--classes {word}: the network has classes 0 to {len(names) - 1}")
        else:
            problems.append(
                f"--classes {word}: the network knows no such class{did_you_mean(word, names)}"
            )
    raise_problems(problems)
    return tuple(labels)


def _batches(source: Source, size: int) -> Iterator[list[Frame]]:
    frames = iter(source)
    while batch := list(islice(frames, size)):
        yield batch
