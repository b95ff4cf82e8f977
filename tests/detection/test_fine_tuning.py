"""What fine-tuners reach for: parts of the data, frozen layers, weights kept apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import yolor_gp
from tests.data.data_sets import NAMES, Painted
from tests.detection.test_boxes_only import data_file
from tests.tiny_network import TINY
from yolor_gp import UserError
from yolor_gp.config.data_config import load_data_config
from yolor_gp.data.datasets import open_dataset
from yolor_gp.data.selection import Selection
from yolor_gp.engine.checkpoints.checkpoint import read_checkpoint
from yolor_gp.models.freeze import modules_to_freeze

QUICK: dict[str, Any] = {
    "hyp": "demo", "img": 64, "batch_size": 4, "epochs": 1, "workers": 0, "precision": "float32",
}  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twelve painted pictures with an object of each of four classes."""
    return data_file(tmp_path, Painted(tmp_path / "painted"))


def opened(data: Path, selection: Selection) -> Any:
    return open_dataset(load_data_config(data), "train", image_size=64, selection=selection)


def test_some_classes_in_their_own_order(data: Path) -> None:
    whole, part = opened(data, Selection()), opened(data, Selection(("ring", "bar")))
    assert part.names == ("ring", "bar")
    assert part.fingerprint != whole.fingerprint
    for index in range(12):
        before, after = whole.instances(index), part.instances(index)
        for old, new in ((NAMES.index("ring"), 0), (NAMES.index("bar"), 1)):
            a, b = np.flatnonzero(before.labels == old), np.flatnonzero(after.labels == new)
            np.testing.assert_array_equal(before.boxes[a], after.boxes[b])
            rings = [before.rings()[i] for i in a], [after.rings()[i] for i in b]
            for ours, theirs in zip(*rings, strict=True):
                assert all(map(np.array_equal, ours, theirs))
        assert len(after) == 2
    truth = part.ground_truth().load()
    assert len(truth["annotations"]) == 24
    assert [category["name"] for category in truth["categories"]] == ["ring", "bar"]


def test_classes_by_number_and_as_one(data: Path) -> None:
    part = opened(data, Selection(("3", "bar"), single_class=True))
    assert part.names == ("object",)
    assert [len(part.instances(index)) for index in range(12)] == [2] * 12
    assert {row["category_id"] for row in part.ground_truth().load()["annotations"]} == {41}
    with pytest.raises(UserError, match="has no such class; did you mean 'ring'"):
        opened(data, Selection(("rings",)))
    with pytest.raises(UserError, match="given twice"):
        opened(data, Selection(("bar", "0")))


def test_a_share_of_the_images(data: Path) -> None:
    part = opened(data, Selection(fraction=0.25))
    assert len(part) == 3
    assert part.image_ids.tolist() == opened(data, Selection(fraction=0.25)).image_ids.tolist()
    whole = opened(data, Selection())
    for index, image_id in enumerate(part.image_ids.tolist()):
        there = whole.image_ids.tolist().index(image_id)
        np.testing.assert_array_equal(part.load(index).image, whole.load(there).image)
        np.testing.assert_array_equal(part.load(index).boxes, whole.load(there).boxes)
    assert len(part.ground_truth().load()["images"]) == 3


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        ({"classes": ["ring", "bar"]}, ("ring", "bar")),
        ({"single_class": True}, ("object",)),
        ({"fraction": 0.5}, NAMES),
    ],
)
def test_training_on_a_part(
    data: Path, tmp_path: Path, flags: dict[str, Any], names: tuple[str, ...]
) -> None:
    run = yolor_gp.load(TINY, device="cpu").train(data, **QUICK, **flags, project=tmp_path / "runs")
    assert run.model.names == names
    figures = run.model.val(data, img=64, workers=0)
    assert set(figures.bbox.per_class) == set(names)
    assert figures.bbox["AP"] == pytest.approx(run.figures["box AP"], abs=1e-3)


@pytest.mark.parametrize(
    ("word", "frozen", "free"),
    [
        ("3", ["layers.0.", "layers.2."], ["layers.3.", "head."]),
        ("backbone", ["layers.0."], ["head."]),
        ("p3", [], ["layers.0.", "head."]),
        ("head.levels*", ["head.levels."], ["layers.0.", "head.mask_head."]),
    ],
)
def test_frozen_layers_stay(
    data: Path, tmp_path: Path, word: str, frozen: list[str], free: list[str]
) -> None:
    model = yolor_gp.load(TINY, device="cpu", classes=list(NAMES))
    weights = model.save(tmp_path / "start.pt")
    before = yolor_gp.load(weights, device="cpu")
    run = before.train(data, **QUICK, freeze=[word], project=tmp_path / "runs")
    after = read_checkpoint(run.folder / "weights" / "last.pt")["network"]
    start = before.network.state_dict()
    names = modules_to_freeze(before.network, [word])
    for name, value in after.items():
        same = torch.equal(value, start[name])
        if any(name.startswith(f"{module}.") for module in names):
            assert same, name  # weights and running statistics
        if any(name.startswith(part) for part in frozen):
            assert same, name
    for part in free:
        assert not all(
            torch.equal(value, start[name])
            for name, value in after.items()
            if name.startswith(part)
        )


def test_masks_are_learned_on_boxes_that_stay(data: Path, tmp_path: Path) -> None:
    model = yolor_gp.load(TINY, device="cpu", classes=list(NAMES))
    before = yolor_gp.load(model.save(tmp_path / "start.pt"), device="cpu")
    flags = QUICK | {"set": ["optimizer.weight_decay=0.1"]}
    run = before.train(data, **flags, freeze=["boxes"], project=tmp_path / "runs")
    after = yolor_gp.load(run.folder / "weights" / "last.pt", device="cpu").network
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        old, new = before.network.eval()(image), after.eval()(image)
    rows = 5 + len(NAMES)
    for was, level in zip(old.levels, new.levels, strict=True):
        assert torch.equal(was.logits[..., :rows], level.logits[..., :rows])
        assert not torch.equal(was.logits[..., rows:], level.logits[..., rows:])
    assert not torch.equal(old.prototypes, new.prototypes)


def test_freeze_says_what_is_wrong() -> None:
    network = yolor_gp.load(TINY, device="cpu").network
    for word, message in (
        ("p9", "--freeze p9: no such layers; expected a number up to"),
        ("999", "no such layers"),
        ("*", "leaves nothing to train"),
    ):
        with pytest.raises(UserError, match=message.replace("*", r"\*")):
            modules_to_freeze(network, [word])


def test_weights_are_kept_apart(data: Path, tmp_path: Path) -> None:
    words = {**QUICK, "epochs": 3, "save_period": 2}
    run = yolor_gp.load(TINY, device="cpu").train(data, **words, project=tmp_path)
    kept = sorted(path.name for path in (run.folder / "weights").glob("epoch*.pt"))
    assert kept == ["epoch2.pt"]
    assert yolor_gp.load(run.folder / "weights" / "epoch2.pt", device="cpu").names == NAMES


def test_another_part_is_evaluated(data: Path, tmp_path: Path) -> None:
    model = yolor_gp.load(TINY, device="cpu", classes=4)
    with pytest.raises(UserError, match="'test' is missing"):
        model.val(data, img=64, split="test")
    assert model.val(data, img=64, split="train", workers=0).bbox["AP"] >= 0
