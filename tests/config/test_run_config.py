from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from yolor_gp.config.run_config import (
    RunConfig,
    checked_flags,
    load_recipe,
    make_run_config,
    resume_run_config,
    run_config_from_yaml,
)
from yolor_gp.config.shipped import shipped_files
from yolor_gp.config.train_config import TrainConfig
from yolor_gp.errors import UserError


def test_the_paper_recipe_is_the_default_and_names_every_key() -> None:
    assert load_recipe("yolor-640") == TrainConfig()
    text = next(f for f in shipped_files("train") if f.stem == "yolor-640").read_text()
    for section, values in TrainConfig().model_dump().items():
        assert all(f"  {key}:" in text for key in values), section


def test_recipes_say_what_the_papers_say() -> None:
    high = load_recipe("yolov5-high")
    assert (high.schedule.shape, high.schedule.final_fraction) == ("linear", 0.1)
    assert (high.optimizer.clip_norm, high.schedule.warmup_min_steps) == (10, 100)
    assert (high.augment.mixup, high.augment.copy_paste, high.validation.nms_iou) == (0.1, 0.1, 0.6)
    overfit = load_recipe("overfit").augment
    assert not any([overfit.mosaic, overfit.scale, overfit.hue, overfit.flip_left_right])


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("augment.mozaic=0", "--set augment.mozaic=0: unknown key 'augment.mozaic'; did you mean"),
        ("schedule.epochs=many", "--set schedule.epochs=many: 'schedule.epochs': input should be"),
        ("schedule=3", "--set schedule=3: 'schedule': "),
        ("mosaic", "--set mosaic: expected key=value"),
        ("augment.mosaic=", "--set augment.mosaic=: 'augment.mosaic': input should be a valid"),
        ("augment.mosaic=[", "--set augment.mosaic=["),
    ],
)
def test_wrong_overrides_are_named(override: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        load_recipe("demo", [override])
    assert caught.value.problems[0].startswith(words)


def test_overrides_reach_the_recipe() -> None:
    recipe = load_recipe("demo", ["schedule.epochs=7", "loss.balance=[1, 2, 3]", "ema.decay=1e-1"])
    assert recipe.schedule.epochs == 7
    assert recipe.loss.balance == (1, 2, 3)
    assert recipe.ema.decay == 0.1
    assert load_recipe("yolor-640", ["optimizer.clip_norm=null"]).optimizer.clip_norm is None


def test_a_configuration_goes_round() -> None:
    config = make_run_config({"batch_size": 8, "hyp": "demo"}, ["schedule.epochs=3"])
    assert run_config_from_yaml(config.to_yaml(), "config.yaml") == config


def test_wrong_flags_are_named() -> None:
    with pytest.raises(UserError, match=r"--seed 5000000000: input should be less than"):
        checked_flags({"seed": 5_000_000_000})


SAVED = make_run_config({"batch_size": 8, "image_size": 320, "hyp": "demo"}, ["schedule.epochs=3"])


@pytest.mark.parametrize(
    ("given", "overrides", "words"),
    [
        ({"batch_size": 16}, [], "--batch-size 16: contradicts the resumed run, whose value is 8"),
        ({"image_size": 640}, [], "--img 640: contradicts"),
        ({"seed": 1}, [], "--seed 1: contradicts"),
        ({}, ["schedule.epochs=4"], "--set schedule.epochs=4: contradicts"),
        ({"hyp": "finetune"}, [], "--hyp finetune: contradicts"),
    ],
)
def test_contradictions_are_refused(
    given: dict[str, Any], overrides: list[str], words: str
) -> None:
    with pytest.raises(UserError) as caught:
        resume_run_config(SAVED, given, overrides, "last.pt")
    assert caught.value.problems[0].startswith(words)


def test_what_may_change_on_resume() -> None:
    given = {"batch_size": 8, "workers": 1, "device": "cpu", "precision": "auto", "save_every": 5}
    config = resume_run_config(SAVED, given, ["schedule.epochs=3"], "last.pt")
    assert (config.workers, config.device, config.save_every) == (1, "cpu", 5)
    assert config.recipe == SAVED.recipe and config.precision == SAVED.precision


def test_shipped_recipes_are_found_by_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("schedule: {epochs: 2}\n")
    assert load_recipe(file).schedule.epochs == 2
    assert RunConfig().recipe == TrainConfig()
