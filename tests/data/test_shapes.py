"""The built-in data set: exact masks, the same pictures every time, drawn only when needed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.random import Generator, Philox
from pycocotools import mask as coco_mask

from yolor_gp.config.data_config import ShapesConfig, load_data_config
from yolor_gp.data.datasets import open_dataset
from yolor_gp.data.shapes import data_set as shapes
from yolor_gp.data.shapes.data_set import draw_shapes
from yolor_gp.data.shapes.outlines import SHAPES
from yolor_gp.data.shapes.scene import draw_scene
from yolor_gp.errors import UserError

SMALL = ShapesConfig(train=6, val=3, size=96, max_objects=5, seed=1)


def test_scenes_own_their_visible_pixels() -> None:
    seen = np.zeros(len(SHAPES), np.int64)
    for seed in range(30):
        scene = draw_scene(Generator(Philox(seed)), 96, 6)
        assert scene.image.shape == (96, 96, 3) and 1 <= len(scene.labels) <= 6
        assert scene.owners.max() <= len(scene.labels)
        for number, label in enumerate(scene.labels, start=1):
            pixels = (scene.owners == number).sum()
            assert pixels == 0 or pixels >= 16
            seen[label] += pixels > 0
    assert (seen > 0).all()  # every class occurs


def test_sizes_range_from_tiny_to_large() -> None:
    sides = []
    for seed in range(40):
        scene = draw_scene(Generator(Philox(seed)), 160, 8)
        for number in np.unique(scene.owners[scene.owners > 0]):
            rows, columns = np.nonzero(scene.owners == number)
            sides.append(max(np.ptp(rows), np.ptp(columns)) + 1)
    assert min(sides) < 16 and max(sides) > 80


def test_the_data_set_opens_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("shapes: {train: 6, val: 3, size: 96, max_objects: 5}\n")
    config = load_data_config(tmp_path / "s.yaml", tmp_path / "here")
    dataset = open_dataset(config, "train", image_size=96)
    assert len(dataset) == 6 and dataset.names == tuple(SHAPES) and dataset.has_masks
    truth = dataset.ground_truth().load()
    for annotation in truth["annotations"]:
        assert coco_mask.area(annotation["segmentation"]) == annotation["area"] >= 16
        assert coco_mask.toBbox(annotation["segmentation"]).tolist() == annotation["bbox"]
    sample = dataset.load(0)
    assert len(sample.labels) > 0 and sample.image.shape == (96, 96, 3)


def test_drawn_once_and_again_when_settings_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, folder = draw_shapes(tmp_path, "train", SMALL)
    pictures = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(pictures) == 6
    labels = file.read_text()
    drawn: list[int] = []
    draw_one = shapes._draw_one
    monkeypatch.setattr(
        shapes, "_draw_one", lambda *args: (drawn.append(args[3]), draw_one(*args))[1]
    )
    draw_shapes(tmp_path, "train", SMALL)
    assert drawn == []
    fewer = SMALL.model_copy(update={"train": 4, "seed": 2})
    draw_shapes(tmp_path, "train", fewer)
    assert sorted(drawn) == [0, 1, 2, 3]
    assert {path.name for path in folder.iterdir()} == {f"{number:07d}.jpg" for number in range(4)}
    assert file.read_text() != labels
    draw_shapes(tmp_path, "train", SMALL)  # and back: the same bytes
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == pictures
    assert file.read_text() == labels


def test_splits_differ(tmp_path: Path) -> None:
    _, train = draw_shapes(tmp_path, "train", SMALL)
    _, val = draw_shapes(tmp_path, "val", SMALL)
    pictures = [path.read_bytes() for folder in (train, val) for path in folder.iterdir()]
    assert len(set(pictures)) == 9


def test_interrupted_drawing_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "_PART", 2)
    whole, _ = draw_shapes(tmp_path / "whole", "train", SMALL)
    draw_one, drawn = shapes._draw_one, []

    def interrupted(*args: object) -> object:
        drawn.append(args[3])
        if args[3] == 4 and len(drawn) < 6:
            raise KeyboardInterrupt
        return draw_one(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(shapes, "_draw_one", interrupted)
    with pytest.raises(KeyboardInterrupt):
        draw_shapes(tmp_path / "cut", "train", SMALL)
    assert not (tmp_path / "cut/annotations/train.json").exists()
    drawn += [-1]
    file, _ = draw_shapes(tmp_path / "cut", "train", SMALL)
    assert set(drawn[drawn.index(-1) + 1 :]) == {4, 5}  # the first two parts are kept
    assert json.loads(file.read_text()) == json.loads(whole.read_text())
    assert sorted(path.name for path in file.parent.iterdir()) == [
        "train.fingerprint",
        "train.json",
    ]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot be written there"):
        draw_shapes(tmp_path / "file", "val", SMALL)
