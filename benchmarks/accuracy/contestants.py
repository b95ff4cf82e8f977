"""Who trains, and what is left of it: detections, seconds, and AP on the way."""

from __future__ import annotations

import csv
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from yolor_gp.commands.convert_dataset import main as convert
from yolor_gp.data.detection_dataset import DetectionDataset

_TIMES = "seconds.txt"
"""Beside a run: seconds and core seconds of each part of its training, a line each."""


@dataclass(frozen=True)
class Trained:
    """A run.

    Attributes:
        predictions: Detections of the validation images, a COCO results list.
        seconds: Of the whole training, validations among it, by the clock.
        core_seconds: The same in time of processors, which other work beside it hardly changes.
        curve: (share of the training, box AP) of every validation; epochs count alike.
    """

    predictions: Path
    seconds: float
    core_seconds: float
    curve: list[tuple[float, float]]


@dataclass(frozen=True)
class Ours:
    """`train.py` and `val.py` with nothing but model, data, size and seed.

    An interrupted training goes on.
    """

    cfg: str
    data: str
    img: int
    epochs: int | None
    folder: Path

    def trained(self, seed: int) -> Trained:
        """The run of a seed, trained unless it is there."""
        place = self.folder / f"seed-{seed}"
        predictions, run = place / "predictions.json", place / "run"
        if not predictions.is_file():
            words = ["train.py", "--cfg", self.cfg, "--data", self.data, "--seed", str(seed),
                     "--project", str(place), "--name", "run", *self._size()]  # fmt: skip
            words += [] if self.epochs is None else ["--epochs", str(self.epochs)]
            if (run / "weights" / "last.pt").is_file():
                words = ["train.py", "--resume", str(run)]
            else:
                shutil.rmtree(place, ignore_errors=True)
            _timed(words, place)
            _run(["val.py", "--weights", str(run), "--data", self.data, "--iou", "0.65",
                  "--save-json", str(predictions), *self._size()])  # fmt: skip
        rows = _rows(run / "metrics.csv")
        found = [(number, row["val/box AP"]) for number, row in enumerate(rows, 1)]
        return _left(place, predictions, [(n, float(ap)) for n, ap in found if ap], len(rows))

    def _size(self) -> list[str]:
        return ["--img", str(self.img)]


@dataclass(frozen=True)
class Peer:
    """Ultralytics with its defaults, on the same data in its own format."""

    model: str
    dataset: DetectionDataset
    data: str
    img: int
    epochs: int
    folder: Path

    def trained(self, seed: int) -> Trained:
        """The run of a seed, trained unless it is there."""
        place = self.folder / f"seed-{seed}"
        predictions = place / "predictions.json"
        if not predictions.is_file():
            shutil.rmtree(place, ignore_errors=True)
            model = self.model if self.dataset.has_boxes_only else f"{self.model}-seg"
            words = ["-m", "benchmarks.accuracy.ultralytics_run", f"{model}.yaml",
                     str(self._converted()), str(place), str(self.img), str(seed)]  # fmt: skip
            _timed([*words, "--epochs", str(self.epochs)], place)
            images = place / "images.json"
            images.write_text(json.dumps(self._images()))
            _run([*words, "--predict", str(images), str(predictions)])
        rows = _rows(place / "run" / "results.csv")
        curve = [(number, float(row["metrics/mAP50-95(B)"])) for number, row in enumerate(rows, 1)]
        return _left(place, predictions, curve, len(rows))

    def _converted(self) -> Path:
        """The data YAML of the copy that the peer reads."""
        copy = self.folder / "data"
        if not (copy / "data.yaml").is_file():
            convert([self.data, "--to", "yolo", "--out", str(copy)])
            words = (copy / "data.yaml").read_text()
            (copy / "data.yaml").write_text(f"path: {copy.resolve()}\n{words}")
        return copy / "data.yaml"

    def _images(self) -> list[tuple[str, int, tuple[int, ...]]]:
        """File, id and category ids of every validation image."""
        categories = self.dataset.table.category_ids
        metas = [self.dataset.meta(index) for index in range(len(self.dataset))]
        return [(meta.path, meta.image_id, categories) for meta in metas]


def _left(
    place: Path, predictions: Path, found: Sequence[tuple[int, float]], epochs: int
) -> Trained:
    parts = [line.split() for line in (place / _TIMES).read_text().splitlines()]
    seconds, core_seconds = (sum(map(float, column)) for column in zip(*parts, strict=True))
    curve = [(number / epochs, figure) for number, figure in found]
    return Trained(predictions, seconds, core_seconds, curve)


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return [{key.strip(): value.strip() for key, value in row.items()}
                for row in csv.DictReader(text)]  # fmt: skip


def _timed(words: Sequence[str], place: Path) -> None:
    """Run, and note what this part of the training took even where it is interrupted."""
    place.mkdir(parents=True, exist_ok=True)
    begun, used = time.perf_counter(), _core_seconds()
    try:
        _run(words)
    finally:
        with (place / _TIMES).open("a") as file:
            file.write(f"{time.perf_counter() - begun:.1f} {_core_seconds() - used:.1f}\n")


def _core_seconds() -> float:
    """Of all processes that this one has started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _run(words: Sequence[str]) -> None:
    subprocess.run([sys.executable, *words], check=True, stdout=sys.stderr)
