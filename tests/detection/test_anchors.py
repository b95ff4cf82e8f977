"""Anchors: how well they reach the boxes, and new ones where they don't."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import yolor_gp
from tests.data.data_sets import Painted
from tests.detection.test_boxes_only import data_file
from tests.tiny_network import TINY
from yolor_gp import UserError
from yolor_gp.commands.check_dataset import main as check_dataset
from yolor_gp.config.model_spec import load_model_spec
from yolor_gp.detection.anchors import (
    best_possible_recall,
    box_sizes,
    fit_anchors,
    fitted_spec,
    with_anchors,
)
from yolor_gp.losses.assigner import assign
from yolor_gp.structures.batch import Targets
from yolor_gp.structures.predictions import LevelPrediction

QUICK: dict[str, Any] = {
    "hyp": "demo", "img": 64, "batch_size": 4, "epochs": 1, "workers": 0, "precision": "float32",
}  # fmt: skip


def test_recall_is_what_the_assigner_does() -> None:
    generator = np.random.default_rng(0)
    sizes = np.exp(generator.uniform(np.log(2), np.log(300), (200, 2)))
    anchors = np.array([[10, 14], [40, 30], [90, 120]], np.float64)
    level = LevelPrediction(
        torch.zeros(1, 3, 40, 40, 6), torch.tensor(anchors, dtype=torch.float32), 8
    )
    reached = 0
    for width, height in sizes:
        box = (
            torch.tensor([[160.0, 160, 160, 160]])
            + torch.tensor([[-width, -height, width, height]]).float() / 2
        )
        targets = Targets(torch.zeros(1, dtype=torch.int64), box, torch.zeros(1, dtype=torch.int64))
        reached += len(assign((level,), targets, 4.0, None)[0]) > 0
    assert best_possible_recall(sizes, anchors, 4.0) == reached / len(sizes)


def test_boxes_around_known_sizes_are_found_again() -> None:
    generator = np.random.default_rng(1)
    centres = np.array([[4, 5], [9, 30], [60, 20], [150, 180]], np.float64)
    sizes = np.concatenate([c * np.exp(generator.normal(0, 0.05, (100, 2))) for c in centres])
    found = fit_anchors(generator.permutation(sizes), 4)
    np.testing.assert_allclose(found, centres, rtol=0.05)
    np.testing.assert_array_equal(fit_anchors(sizes, 4), fit_anchors(sizes, 4))
    assert best_possible_recall(sizes, found, 4.0) == 1


def test_too_few_sizes_are_told() -> None:
    with pytest.raises(UserError, match="9 anchors need as many boxes of different sizes, found 1"):
        fit_anchors(np.full((50, 2), 30.0), 9)


def test_boxes_are_measured_at_the_size_of_training(tmp_path: Path) -> None:
    dataset = Painted(tmp_path).open(64)
    sizes = box_sizes(dataset.table, 64)
    first = dataset.table.instances(0).boxes[0]
    scale = 64 / max(dataset.table.size(0))
    np.testing.assert_allclose(sizes[0], (first[2:] - first[:2]) * scale, rtol=1e-6)


def test_a_poor_fit_is_mended_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    painted = Painted(tmp_path / "painted")
    data = data_file(tmp_path, painted)
    spec = load_model_spec(TINY)
    far = with_anchors(spec, np.full((4, 2), 400.0) + np.arange(4)[:, None])
    file = tmp_path / "far.yaml"
    file.write_text(far.resolved_yaml)
    table = painted.open(64).table
    assert fitted_spec(far, table, 64, 4.0, "keep") == (far, None)
    fitted, words = fitted_spec(far, table, 64, 4.0, "")
    assert words is not None and "reach 0.0% of the boxes" in words
    assert fitted_spec(fitted, table, 64, 4.0, "") == (fitted, None)
    run = yolor_gp.load(file, device="cpu").train(data, **QUICK, project=tmp_path / "runs")
    assert "made for them reach 100.0%" in capsys.readouterr().out
    expected = np.array([pair for level in fitted.anchors for pair in level])
    np.testing.assert_allclose(run.model.network.head.anchors.reshape(-1, 2).numpy(), expected)
    assert json.dumps(fitted.anchors[0][0][0]) in (run.folder / "model.yaml").read_text()
    kept = yolor_gp.load(file, device="cpu").train(
        data, **QUICK, anchors="keep", project=tmp_path / "runs"
    )
    assert kept.model.network.head.anchors.max() == 403


def test_weights_keep_their_anchors(tmp_path: Path) -> None:
    data = data_file(tmp_path, Painted(tmp_path / "painted"))
    model = yolor_gp.load(TINY, device="cpu", classes=4)
    weights = yolor_gp.load(model.save(tmp_path / "x.pt"), device="cpu")
    run = weights.train(data, **QUICK, project=tmp_path / "runs")
    torch.testing.assert_close(run.model.network.head.anchors, model.network.head.anchors)
    run = weights.train(data, **QUICK, anchors="auto", project=tmp_path / "runs")
    first, second = run.model.network.head.anchors, model.network.head.anchors
    assert isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor)
    assert not torch.equal(first, second)


def test_the_doctor_says_how_well_they_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = data_file(tmp_path, Painted(tmp_path / "painted"))
    check_dataset([str(data), "--cfg", TINY, "--img", "32"])
    assert "anchors of tiny reach" in capsys.readouterr().out
