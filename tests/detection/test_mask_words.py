"""Masks learned more closely: finer prototypes, and cells that are covered in part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import yolor_gp
from tests.data.data_sets import Painted
from tests.detection.test_boxes_only import data_file
from tests.tiny_network import TINY
from yolor_gp import UserError
from yolor_gp.config.train_config import LossConfig
from yolor_gp.detection.task import mask_stride

WORDS: dict[str, Any] = {
    "hyp": "demo", "img": 64, "batch_size": 4, "epochs": 1, "precision": "float32",
    "device": "cpu", "log": ["csv"],
}  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    painted = Painted(tmp_path / "painted")
    painted.write()
    return data_file(tmp_path, painted)


@pytest.fixture
def finer(tmp_path: Path) -> Path:
    file = tmp_path / "finer.yaml"
    file.write_text(f"extends: {TINY}\nreplace:\n  AnchorHead: {{prototype_scale: 4}}\n")
    return file


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_finer_prototypes_train_and_find(
    data: Path, finer: Path, tmp_path: Path, workers: int
) -> None:
    words = {**WORDS, "project": tmp_path, "workers": workers, "set": {"loss.mask_samples": 2}}
    run = yolor_gp.load(finer, device="cpu").train(data, **words)
    assert np.isfinite(run.figures["mask AP"])
    model = run.model
    assert model.network.head.prototype_stride == 2
    picture = np.full((64, 48, 3), 114, np.uint8)
    (found,) = model.predict(picture, confidence=0.0, img=64)
    assert found.masks is not None and found.masks.shape[1:] == (64, 48)


def test_points_lie_on_pixels(finer: Path) -> None:
    network = yolor_gp.load(finer, device="cpu").network
    assert mask_stride(network, LossConfig(mask_samples=2)) == 1
    with pytest.raises(UserError, match=r"mask_samples: 4 points a side of .* cell of 2 pixels"):
        mask_stride(network, LossConfig(mask_samples=4))


def test_masks_weigh_as_much_as_the_recipe_says(data: Path, tmp_path: Path) -> None:
    losses = [
        yolor_gp.load(TINY, device="cpu")
        .train(data, **WORDS, workers=0, project=tmp_path, set={"loss.mask": gain})
        .history[0]["train/mask"]
        for gain in (0.0, 1.0)
    ]
    assert losses[0] == 0 and losses[1] > 0
