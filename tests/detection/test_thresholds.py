"""The score from which on a class is shown, kept with the weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import yolor_gp
from tests.tiny_network import TINY
from yolor_gp.commands import detect, val
from yolor_gp.data.shapes.outlines import SHAPES
from yolor_gp.engine.checkpoints.checkpoint import read_checkpoint
from yolor_gp.errors import UserError
from yolor_gp.weights import store_thresholds

PICTURE = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Of a network that finds much of nothing, in both classes."""
    torch.manual_seed(2)
    return yolor_gp.load(TINY, device="cpu", classes=["cat", "dog"]).save(tmp_path / "w.pt")


def between(scores: NDArray[np.float32], share: float) -> float:
    """A limit that is no score itself, so that rounding changes nothing."""
    different = np.unique(scores)
    place = int(share * (len(different) - 1))
    return float(different[place : place + 2].mean(dtype=np.float64))


def test_each_class_has_its_own_score(weights: Path) -> None:
    everything = yolor_gp.load(weights, device="cpu")(PICTURE, confidence=0.0, max_detections=2000)
    cats, dogs = (everything.scores[everything.labels == label] for label in (0, 1))
    limits = {"cat": between(cats, 0.5), "dog": between(dogs, 0.9)}
    before = read_checkpoint(weights)
    assert store_thresholds(weights, limits) == weights
    after = read_checkpoint(weights)
    for name, tensor in before["average"]["network"].items():
        assert torch.equal(tensor, after["average"]["network"][name])

    model = yolor_gp.load(weights, device="cpu")
    assert model.thresholds == limits
    found = model(PICTURE, max_detections=2000)
    assert (found.scores[found.labels == 0] > limits["cat"]).all()
    assert (found.scores[found.labels == 1] > limits["dog"]).all()
    # Those of one class do not suppress the other's, so they are what was there above the limits.
    assert (found.labels == 0).sum() == (cats > limits["cat"]).sum() > 0
    assert (found.labels == 1).sum() == (dogs > limits["dog"]).sum() > 0
    said = model(PICTURE, confidence=0.0, max_detections=2000)
    assert len(said.scores) == len(everything.scores)


def test_without_any_it_is_a_quarter(weights: Path) -> None:
    model = yolor_gp.load(weights, device="cpu")
    assert model.thresholds == {}
    assert len(model(PICTURE).scores) == len(model(PICTURE, confidence=0.25).scores)


@pytest.mark.parametrize(("rule", "limits"), [([], 2), (["0.9"], 2)])
def test_val_stores_and_detect_uses(
    weights: Path, tmp_path: Path, rule: list[str], limits: int, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "few.yaml"
    data.write_text(f"path: {tmp_path}/few\nshapes: {{train: 2, val: 2, size: 64}}\n")
    run = tmp_path / "run" / "weights"
    run.mkdir(parents=True)
    model = yolor_gp.load(TINY, device="cpu", classes=list(SHAPES))
    shutil.copy(model.save(tmp_path / "seven.pt"), run / "best.pt")
    words = ["--weights", str(run.parent), "--data", str(data), "--img", "64", "--workers", "0"]
    assert val.main([*words, "--store-thresholds", *rule]) == 0
    assert "classes are shown from scores of" in capsys.readouterr().out
    stored = yolor_gp.load(run.parent, device="cpu").thresholds
    assert tuple(stored) == model.names
    words = [
        "--weights",
        str(run.parent),
        "--source",
        str(tmp_path / "few" / "**" / "*"),
        "--no-images",
        "--save-json",
        str(tmp_path / "d.json"),
        "--project",
        str(tmp_path),
    ]
    assert detect.main(words) == 0
    for row in json.loads((tmp_path / "d.json").read_text()):
        assert row["score"] > min(stored.values())


def test_only_own_weights_take_them(weights: Path, tmp_path: Path) -> None:
    other = yolor_gp.load(weights, device="cpu").save(tmp_path / "w.safetensors")
    with pytest.raises(UserError, match="expected a run folder, or a"):
        val.main(["--weights", str(other), "--store-thresholds"])
    with pytest.raises(UserError, match="name one in --weights"):
        val.main(["--weights", str(weights), str(weights), "--store-thresholds"])
    foreign = tmp_path / "foreign.pt"
    torch.save({"model": 1}, foreign)
    with pytest.raises(UserError, match="not a checkpoint of this project"):
        val.main(["--weights", str(foreign), "--store-thresholds"])


def test_a_file_that_says_nonsense_says_nothing(weights: Path) -> None:
    store_thresholds(weights, {"cat": 7.0, "dog": float("nan"), "cow": 0.5})
    assert yolor_gp.load(weights, device="cpu").thresholds == {"cow": 0.5}
