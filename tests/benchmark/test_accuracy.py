"""The comparison of accuracies: figures by pycocotools, and the time to the peer's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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
    return Trained(file, 100.0, [(50.0, 0.2), (100.0, 0.9)])


def test_figures_and_times_are_laid_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = Painted(tmp_path / "painted").open(64)
    monkeypatch.setattr(DetectionDataset, "has_boxes_only", True)
    whole, half = (trained(tmp_path, f"{k}.json", dataset, k) for k in (1, 2))
    assert figures(dataset, whole)["box AP"] == pytest.approx(1)
    assert 0.3 < figures(dataset, half)["box AP"] < 0.7
    table = summary(dataset, [whole], [half])
    assert "| yolor_gp, 1 seeds | 1.000 (1.000) |" in table
    assert "The peer's mean box AP was reached after: 100 s." in table
    nothing = tmp_path / "none.json"
    nothing.write_text("[]")
    assert figures(dataset, Trained(nothing, 1.0, []))["box AP"] == 0
