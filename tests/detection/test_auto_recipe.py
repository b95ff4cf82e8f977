"""`--hyp auto`: what it chooses, and that a run keeps to it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

import yolor_gp
from tests.data.data_sets import Painted
from tests.detection.test_boxes_only import data_file
from tests.tiny_network import TINY
from yolor_gp.config.run_config import load_recipe, make_run_config, run_config_from_yaml
from yolor_gp.config.train_config import TrainConfig, load_train_config
from yolor_gp.detection.auto_recipe import Situation, choose_recipe, situation_of, usual_batch
from yolor_gp.detection.chosen_recipe import with_recipe
from yolor_gp.engine.budget import _epochs_of
from yolor_gp.engine.checkpoints.checkpoint import read_checkpoint
from yolor_gp.engine.requests import seconds_of
from yolor_gp.engine.schedule import Schedule


def situation(**changes: Any) -> Situation:
    values: dict[str, Any] = {
        "images": 136, "objects": 900, "classes": 3, "class_entropy": 1.0, "small_objects": 0.2,
        "image_size": 320, "batch_size": 16, "pretrained": False,
    }  # fmt: skip
    return Situation(**{**values, **changes})


def updates(recipe: TrainConfig, at: Situation) -> int:
    return recipe.schedule.epochs * at.batches // at.accumulated


@pytest.mark.parametrize("images", [1, 14, 24, 136, 292, 3000, 49_999])
@pytest.mark.parametrize("batch", [1, 4, 16, 64])
@pytest.mark.parametrize("pretrained", [False, True])
def test_every_set_gets_enough_updates(images: int, batch: int, pretrained: bool) -> None:
    here = situation(images=images, batch_size=batch, pretrained=pretrained)
    recipe, reasons = choose_recipe(here)
    assert updates(recipe, here) >= (600 if pretrained else 1200)
    assert 1 <= len(reasons) <= 5
    schedule = Schedule(recipe.schedule, recipe.optimizer, here.batches, batch)
    assert 0 < schedule.warmup_steps < recipe.schedule.epochs * here.batches / 3
    # The average has forgotten where it came from.
    horizon = 1 / (1 - recipe.ema.decay)
    assert horizon + recipe.ema.warmup < updates(recipe, here) / 3


def test_the_same_situation_gives_the_same_recipe() -> None:
    assert choose_recipe(situation()) == choose_recipe(situation())


def test_a_set_like_coco_gets_the_papers_recipe() -> None:
    recipe, reasons = choose_recipe(situation(images=118_287, classes=80))
    assert recipe == load_recipe("yolor-640") == TrainConfig()
    assert "the paper's recipe" in reasons[0]


@pytest.mark.parametrize(
    ("changes", "batch"),
    [
        ({}, 8),
        ({"images": 3000}, 16),
        ({"images": 24, "pretrained": True}, 8),
        ({"epochs": 900}, 16),
    ],
)
def test_batches_are_smaller_where_updates_would_be_few(
    changes: dict[str, Any], batch: int
) -> None:
    here = situation(**changes, batch_size=0)
    assert usual_batch(here) == batch
    chosen = situation(**changes, batch_size=batch)
    recipe, _ = choose_recipe(chosen)
    assert recipe.optimizer.nominal_batch == batch and chosen.accumulated == 1


@pytest.mark.parametrize("given", [{}, {"batch_size": 6}])
def test_a_batch_size_that_is_given_stays(tmp_path: Path, given: dict[str, int]) -> None:
    dataset = Painted(tmp_path).open(64)
    config = make_run_config({"cfg": str(TINY), "image_size": 64, **given}, ())
    assert with_recipe(config, dataset, pretrained=False, processes=1).batch_size == given.get(
        "batch_size", 8
    )
    shared = with_recipe(config, dataset, pretrained=False, processes=4)
    assert shared.batch_size == given.get("batch_size", 16)


@pytest.mark.parametrize("epochs", [1, 2, 7, 60])
def test_given_epochs_are_kept_to(epochs: int) -> None:
    here = situation(epochs=epochs)
    recipe, _ = choose_recipe(here)
    assert recipe.schedule.epochs == epochs
    assert recipe.schedule.close_mosaic < epochs
    steps = Schedule(recipe.schedule, recipe.optimizer, here.batches, 16).warmup_steps
    assert steps < epochs * here.batches


@pytest.mark.parametrize(
    ("objects", "gain"), [(0, 0.05), (136, 0.05), (1986, 0.1), (1489, 0.075), (50_000, 0.1)]
)
def test_boxes_count_more_where_images_are_full(objects: int, gain: float) -> None:
    recipe, _ = choose_recipe(situation(objects=objects))
    assert recipe.loss.box == pytest.approx(gain, rel=1e-3)


@pytest.mark.parametrize(
    ("classes", "entropy", "gain"),
    [(80, 3.5, 0.5), (10, 2.3, 0.414), (3, 0.53, 0.0954), (2, 0, 0.02)],
)
def test_classes_count_by_what_there_is_to_tell(classes: int, entropy: float, gain: float) -> None:
    recipe, _ = choose_recipe(situation(classes=classes, class_entropy=entropy))
    # The loss scales by classes / 80.
    assert recipe.loss.classification * classes / 80 == pytest.approx(gain)


def test_what_a_data_set_is(tmp_path: Path) -> None:
    found = situation_of(
        Painted(tmp_path).open(64), image_size=64, batch_size=4, pretrained=True, epochs=None
    )
    assert (found.images, found.objects, found.classes) == (12, 48, 4)
    assert found.small_objects == 1.0
    assert found.class_entropy == pytest.approx(math.log(4), abs=0.2)


def test_a_run_says_and_keeps_its_recipe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = data_file(tmp_path, Painted(tmp_path / "painted"))
    flags: dict[str, Any] = {
        "img": 64, "batch_size": 4, "epochs": 2, "workers": 0, "precision": "float32",
        "set": {"optimizer.learning_rate": 0.001, "loss.box": 0.07},
    }  # fmt: skip
    run = yolor_gp.load(TINY, device="cpu").train(data, **flags, project=tmp_path)
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("recipe: ")]
    assert len(said) == 5
    recipe = load_train_config(run.folder / "recipe.yaml")
    config = run_config_from_yaml((run.folder / "config.yaml").read_text(), "config.yaml")
    assert config.recipe == recipe
    assert recipe.optimizer.name == "adamw"
    assert (recipe.optimizer.learning_rate, recipe.loss.box) == (0.001, 0.07)
    # As a plain recipe it is the same training.
    again = {**flags, "hyp": str(run.folder / "recipe.yaml")}
    del again["set"], again["epochs"]
    other = yolor_gp.load(TINY, device="cpu").train(data, **again, project=tmp_path)
    ours, theirs = (
        read_checkpoint(each.folder / "weights" / "last.pt")["network"] for each in (run, other)
    )
    assert all(ours[name].equal(theirs[name]) for name in ours)


def test_wrong_keys_are_told_before_the_data_are_opened(tmp_path: Path) -> None:
    with pytest.raises(yolor_gp.UserError, match=r"unknown key 'optimizer\.rate'"):
        yolor_gp.load(TINY, device="cpu").train(
            "shapes", set={"optimizer.rate": 1}, project=tmp_path
        )


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("45m", 2700), ("1.5h", 5400), (12.5, 12.5)]
)
def test_times(text: Any, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "-3m", "1d", "nans"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(yolor_gp.UserError, match="expected a time such as 90s"):
        seconds_of(text)


@pytest.mark.parametrize("hyp", ["auto", pytest.param("demo", marks=pytest.mark.slow)])
def test_a_run_keeps_to_its_time(tmp_path: Path, hyp: str) -> None:
    data = data_file(tmp_path, Painted(tmp_path / "painted"))
    flags: dict[str, Any] = {
        "img": 64, "batch_size": 4, "workers": 0, "precision": "float32", "hyp": hyp,
    }  # fmt: skip
    model = yolor_gp.load(TINY, device="cpu")
    runs = [model.train(data, **flags, time=time, project=tmp_path) for time in (0.2, "2s")]
    epochs = [len(run.history) for run in runs]
    assert 1 <= epochs[0] < epochs[1]
    recipe = load_train_config(runs[1].folder / "recipe.yaml")
    assert recipe.schedule.epochs == epochs[1]


def test_validations_take_their_share_of_the_time() -> None:
    def fitting(seconds: float, validations: int) -> int:
        return _epochs_of(seconds, epoch=10, validation=5, validations=validations)

    assert fitting(1500, 20) == 140  # twenty of them take 100 s
    assert fitting(150, 20) == 10  # one an epoch, not the twenty of a longer run
    assert fitting(150, 300) == 10
    assert fitting(1, 20) == 1
