"""Data without masks, and sizes of input, meet every shipped model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import yolor_gp
from tests.data.data_sets import Painted
from tests.tiny_network import TINY
from yolor_gp import UserError
from yolor_gp.config.model_spec import ModelSpec, load_model_spec
from yolor_gp.config.shipped import shipped_files
from yolor_gp.models.builder import build_network, without_masks

QUICK: dict[str, Any] = {
    "hyp": "demo", "img": 64, "batch_size": 4, "epochs": 1, "workers": 0, "precision": "float32",
}  # fmt: skip


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    """Painted pictures whose objects have lost their outlines."""
    painted = Painted(tmp_path / "painted")
    for annotation in painted.content["annotations"]:
        del annotation["segmentation"]
    painted.write()
    return data_file(tmp_path, painted)


def data_file(folder: Path, painted: Painted) -> Path:
    file = folder / "data.yaml"
    parts = {"train": str(painted.images), "val": str(painted.images)}
    annotations = {part: str(painted.file) for part in parts}
    file.write_text(json.dumps({**parts, "annotations": annotations}))
    return file


@pytest.mark.parametrize("name", [file.stem for file in shipped_files("model")])
def test_every_shipped_model_has_a_form_without_masks(name: str) -> None:
    spec = without_masks(load_model_spec(name))
    again = ModelSpec.from_text(spec.resolved_yaml, "again.yaml")
    assert not getattr(build_network(again, device="meta"), "has_masks", False)


def test_boxes_train_and_resume(
    boxes: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = yolor_gp.load(TINY, device="cpu")
    run = model.train(boxes, **QUICK, project=tmp_path)
    assert "box AP" in run.figures
    assert "mask AP" not in run.figures
    assert not run.model.network.has_masks
    assert run.model.val(boxes).segm is None


def test_a_model_with_masks_is_tuned_on_boxes(boxes: Path, tmp_path: Path) -> None:
    start = yolor_gp.load(TINY, device="cpu", classes=4)
    weights = start.save(tmp_path / "masks.pt")
    assert start.val(boxes, img=64, workers=0).segm is None
    run = yolor_gp.load(weights, device="cpu").train(boxes, **QUICK, project=tmp_path)
    assert not run.model.network.has_masks


def test_boxes_only_by_choice(tmp_path: Path) -> None:
    data = data_file(tmp_path, Painted(tmp_path / "painted"))
    model = yolor_gp.load(TINY, device="cpu", classes=4)
    assert model.val(data, img=64, workers=0).segm is not None
    assert model.val(data, img=64, workers=0, boxes_only=True).segm is None
    run = model.train(data, **QUICK, boxes_only=True, project=tmp_path)
    assert not run.model.network.has_masks


DEEP = """
nc: 4
anchors: [[12, 16, 19, 36]]
backbone:
- [-1, 1, Conv, [8, 3, 2]]
- [-1, 1, Conv, [8, 3, 2]]
- [-1, 1, Conv, [8, 3, 2]]
- [-1, 1, Conv, [8, 3, 2]]
- [-1, 1, Conv, [8, 3, 2]]
- [-1, 1, Conv, [16, 3, 2]]
head:
- [[5], 1, Detect, [nc, anchors]]
"""


def test_sizes_are_multiples_of_the_networks_stride(boxes: Path, tmp_path: Path) -> None:
    file = tmp_path / "deep.yaml"
    file.write_text(DEEP)
    model = yolor_gp.load(file, device="cpu")
    message = "--img 672: must be a multiple of 64; use 640 or 704"
    for work in (
        lambda: model.train(boxes, **{**QUICK, "img": 672}, project=tmp_path / "runs"),
        lambda: model.val(boxes, img=672),
        lambda: model.predict(tmp_path / "painted" / "images", img=672),
    ):
        with pytest.raises(UserError, match=message):
            work()
    words = {**QUICK, "img": 128, "set": {"augment.multi_scale": 0.5}}
    assert model.train(boxes, **words, project=tmp_path / "runs").exit_code == 0
