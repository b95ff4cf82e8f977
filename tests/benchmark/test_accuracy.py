"""The comparison of accuracies: figures by pycocotools, and the time to the peer's."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.accuracy import contestants
from benchmarks.accuracy.command import figures, summary
from benchmarks.accuracy.contestants import Trained
from tests.data.data_sets import Painted
from yolor_gp.data.detection_dataset import DetectionDataset


def trained(folder: Path, name: str, dataset: DetectionDataset, share: int) -> Trained:
    """A run whose detections are every `share`-th object, exactly."""
    rows = [
        {key: annotation[key] for key in ("image_id", "category_id", "bbox")} | {"score": 0.9}
        for annotation in dataset.ground_truth().load()["annotations"][::share]
    ]
    file = folder / name
    file.write_text(json.dumps(rows))
    return Trained(file, 150.0, 100.0, [(0.5, 0.2), (0.75, 0.9)])


def test_figures_and_times_are_laid_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = Painted(tmp_path / "painted").open(64)
    monkeypatch.setattr(DetectionDataset, "has_boxes_only", True)
    whole, half = (trained(tmp_path, f"{k}.json", dataset, k) for k in (1, 2))
    assert figures(dataset, whole)["box AP"] == pytest.approx(1)
    assert 0.3 < figures(dataset, half)["box AP"] < 0.7
    table = summary(dataset, [whole], [half])
    assert "| yolor_gp, 1 seed | 1.000 (1.000) |" in table
    assert "The peer's mean box AP was reached after: 75 core s." in table
    assert "In half the peer's mean core seconds: box AP 0.200 (0.200)," in table
    assert "| 150 (150) | 100 (100) |" in table
    nothing = tmp_path / "none.json"
    nothing.write_text("[]")
    late = Trained(nothing, 1.0, 1.0, [])
    assert figures(dataset, late)["box AP"] == 0
    table = summary(dataset, [whole, whole], [late, late])
    assert "| yolor_gp, 2 seeds |" in table
    assert "| ratio | - | - | - | 150.00x | 100.00x |" in table
    assert "box AP 0.000 (0.000 0.000), -." in table


def test_parts_of_a_training_are_added_up(tmp_path: Path) -> None:
    burn = "sum(range(3_000_000))"
    contestants._timed(["-c", burn], tmp_path)
    with pytest.raises(subprocess.CalledProcessError):
        contestants._timed(["-c", f"{burn}; raise SystemExit(1)"], tmp_path)
    run = contestants._left(tmp_path, tmp_path / "p.json", [(1, 0.1), (4, 0.3)], 4)
    assert len((tmp_path / "seconds.txt").read_text().splitlines()) == 2
    assert run.seconds > 0.02 and run.core_seconds > 0.02
    assert run.curve == [(0.25, 0.1), (1.0, 0.3)]


def test_an_interrupted_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Sequence[str]] = []

    def record(words: Sequence[str]) -> None:
        calls.append(words)
        run = tmp_path / "seed-0" / "run"
        (run / "weights").mkdir(parents=True, exist_ok=True)
        (run / "weights" / "last.pt").touch()
        (run / "metrics.csv").write_text("epoch,val/box AP\n1,\n2,0.5\n")
        if len(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(contestants, "_run", record)
    ours = contestants.Ours("a-model", "data.yaml", 64, None, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        ours.trained(0)
    assert ours.trained(0).curve == [(1.0, 0.5)]
    assert [words[:2] for words in calls[:2]] == [["train.py", "--cfg"], ["train.py", "--resume"]]
    assert calls[2][0] == "val.py"
