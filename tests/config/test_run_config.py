from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from yolor_gp.config.run_config import (
    RunConfig,
    load_recipe,
    make_run_config,
    run_config_from_yaml,
)
from yolor_gp.config.shipped import shipped_files
from yolor_gp.config.train_config import TrainConfig
from yolor_gp.config.yolov5_recipe import YOLOV5_KEYS
from yolor_gp.errors import UserError
from yolor_gp.ops.image_size import AnySize, ImageSize


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
        RunConfig.of_flags({"seed": 5_000_000_000})


@pytest.mark.parametrize("given", [640, [640, 384], "640x384"])
def test_the_input_size_comes_back_from_the_run_folder(given: AnySize) -> None:
    config = RunConfig.of_flags({"image_size": given})
    assert config.image_size == ImageSize.of(given)
    assert run_config_from_yaml(config.to_yaml(), "config.yaml") == config


@pytest.mark.parametrize("given", [16, [640, 16], "big", [1, 2, 3]])
def test_an_input_size_that_is_none(given: AnySize) -> None:
    with pytest.raises(UserError, match="--img"):
        RunConfig.of_flags({"image_size": given})


SAVED = make_run_config({"batch_size": 8, "image_size": 320, "hyp": "demo"}, ["schedule.epochs=3"])


@pytest.mark.parametrize(
    ("given", "overrides", "words"),
    [
        ({"batch_size": 16}, [], "--batch-size 16: contradicts the resumed run, whose value is 8"),
        ({"image_size": 640}, [], "--img 640: contradicts"),
        ({"image_size": "320x640"}, [], "--img 320x640: contradicts"),
        ({"seed": 1}, [], "--seed 1: contradicts"),
        ({}, ["schedule.epochs=4"], "--set schedule.epochs=4: contradicts"),
        ({"hyp": "finetune"}, [], "--hyp finetune: contradicts"),
    ],
)
def test_contradictions_are_refused(
    given: dict[str, Any], overrides: list[str], words: str
) -> None:
    with pytest.raises(UserError) as caught:
        SAVED.with_free_flags(given, overrides, "last.pt")
    assert caught.value.problems[0].startswith(words)


def test_what_may_change_on_resume() -> None:
    given = {
        "batch_size": 8, "image_size": (320, 320), "workers": 1, "device": "cpu",
        "precision": "auto", "save_every": 5,
    }  # fmt: skip
    config = SAVED.with_free_flags(given, ["schedule.epochs=3"], "last.pt")
    assert (config.workers, config.device, config.save_every) == (1, "cpu", 5)
    assert config.recipe == SAVED.recipe and config.precision == SAVED.precision


def test_shipped_recipes_are_found_by_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("schedule: {epochs: 2}\n")
    assert load_recipe(file).schedule.epochs == 2
    assert RunConfig().recipe == TrainConfig()


YOLOV5_HYP = """\
lr0: 0.02
lrf: 0.1
momentum: 0.9
weight_decay: 0.0004
warmup_epochs: 2.0
warmup_momentum: 0.7
warmup_bias_lr: 0.05
box: 0.04
cls: 0.25
cls_pw: 1.0
obj: 0.9
obj_pw: 1.0
iou_t: 0.20
anchor_t: 3.5
fl_gamma: 0.5
hsv_h: 0.01
hsv_s: 0.6
hsv_v: 0.3
degrees: 5.0
translate: 0.2
scale: 0.5
shear: 1.0
perspective: 0.0001
flipud: 0.1
fliplr: 0.4
mosaic: 0.9
mixup: 0.1
copy_paste: 0.2
"""


def test_a_hyp_yaml_of_yolov5_is_a_recipe(tmp_path: Path) -> None:
    file = tmp_path / "hyp.yaml"
    file.write_text(YOLOV5_HYP)
    recipe = load_recipe(file, ["schedule.epochs=7"])
    given = yaml.safe_load(YOLOV5_HYP)
    values = recipe.model_dump()
    for name, key in YOLOV5_KEYS.items():
        section, _, word = key.partition(".")
        assert values[section][word] == pytest.approx(given.get(name, 0.0)), name
    assert recipe.schedule.epochs == 7 and recipe.schedule.shape == "linear"
    assert recipe.optimizer.clip_norm == 10 and recipe.loss.objectness_scales_with_size
    file.write_text(YOLOV5_HYP.replace("obj_pw: 1.0", "obj_pw: 2.0") + "lr1: 3\n")
    with pytest.raises(UserError) as caught:
        load_recipe(file)
    assert f"{file}:12: 'obj_pw' other than 1 is not supported; leave it at 1" in str(caught.value)
    assert f"{file}:29: 'lr1' is no key" in str(caught.value)
    file.write_text(YOLOV5_HYP.replace("mosaic: 0.9", "mosaic: 9"))
    with pytest.raises(UserError, match=r"hyp.yaml:26: .*less than or equal to 1"):
        load_recipe(file)
