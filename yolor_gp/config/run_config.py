"""A training run: the recipe and what the command line says around it; kept in the run folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from yolor_gp.config.overrides import apply_overrides
from yolor_gp.config.shipped import find_shipped
from yolor_gp.config.train_config import TrainConfig
from yolor_gp.config.validate import Settings, validate
from yolor_gp.config.yaml_source import load_yaml, parse_yaml
from yolor_gp.config.yolov5_recipe import from_yolov5, is_yolov5_recipe
from yolor_gp.errors import UserError, raise_problems

AUTO = "auto"
"""What `hyp` says for the recipe that is made to fit the data."""


class RunConfig(Settings):
    """Everything that decides a run. Below `recipe`: how it is run, free to change on resume.

    batch_size counts images over all processes; 0 stands for `auto`.
    """

    cfg: str | None = Field(None, description="model file; None: that of the weights")
    data: str = "shapes"
    hyp: str = AUTO
    weights: str | None = None
    image_size: int = Field(640, ge=32)
    batch_size: int = Field(16, ge=0)
    boxes_only: bool = Field(False, description="leave the mask branch out")
    classes: tuple[str, ...] = Field((), description="names or numbers of those kept; (): all")
    single_class: bool = Field(False, description="all classes count as one")
    fraction: float = Field(1.0, gt=0, le=1, description="share of the training images")
    anchors: Literal["", "auto", "keep"] = Field("", description="'': auto where they fit poorly")
    freeze: tuple[str, ...] = Field((), description="layers that keep their weights")
    seed: int = Field(0, ge=0, lt=2**32)
    precision: str = "auto"
    time: float = Field(0, ge=0, description="seconds that decide the epochs; 0: the recipe does")
    recipe: TrainConfig = TrainConfig()
    reasons: tuple[str, ...] = Field((), description="of a recipe that was made to fit")

    device: str = "auto"
    workers: int = Field(4, ge=0)
    cache: Literal["none", "ram"] = "none"
    compile: bool = False
    deterministic: bool = False
    sync_batchnorm: Literal["auto", "on", "off"] = "auto"
    save_period: int = Field(0, ge=0, description="epochs between weights kept apart; 0: none")
    save_every: int = Field(0, ge=0, description="optimizer steps; 0: once an epoch")
    skip_limit: int = Field(10, ge=1, description="non-finite steps in a row before giving up")
    log_gradients: bool = Field(False, description="measure |gradient| per layer and channel")
    log: tuple[str, ...] = Field(("tensorboard",), description="loggers beside metrics.csv")
    timeout: float = Field(600, gt=0, description="seconds a collective may take")
    heartbeat: float = Field(120, gt=0, description="seconds of silence of a lost process")

    def to_yaml(self) -> str:
        """Readable back by `run_config_from_yaml`."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


FREE_ON_RESUME = (
    "device", "workers", "cache", "compile", "deterministic", "sync_batchnorm", "save_every",
    "save_period", "skip_limit", "log_gradients", "log", "timeout", "heartbeat",
)  # fmt: skip
"""Fields that may differ from the resumed run."""


def run_config_from_yaml(text: str, file: str) -> RunConfig:
    """The inverse of `RunConfig.to_yaml`.

    Raises:
        UserError: When it is wrong, naming file and line.
    """
    return validate(parse_yaml(text, file), RunConfig)


def load_recipe(name_or_path: str | Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """A recipe by path or shipped name (`finetune`), with `section.key=value` overrides.

    A `hyp.yaml` of YOLOv5 is read as one.

    Of `auto`, which is made when the data are known, the overrides alone.
    """
    if str(name_or_path) == AUTO:
        node = parse_yaml("{}", AUTO)
    else:
        node = load_yaml(find_shipped("train", name_or_path))
        if is_yolov5_recipe(node):
            node = from_yolov5(node)
    return validate(apply_overrides(node, overrides), TrainConfig)


def make_run_config(given: dict[str, Any], overrides: Sequence[str]) -> RunConfig:
    """A new run from the flags that were given.

    Raises:
        UserError: With a line for each flag or value that is wrong.
    """
    flags = checked_flags(given)
    return flags.model_copy(update={"recipe": load_recipe(flags.hyp, overrides)})


def checked_flags(given: dict[str, Any]) -> RunConfig:
    """The given fields over the defaults.

    Raises:
        UserError: With a line for each flag that is wrong.
    """
    try:
        return RunConfig(**given)
    except ValidationError as error:
        problems = (
            f"--{flag_of(str(detail['loc'][0]))} {detail['input']}: {detail['msg'].lower()}"
            for detail in error.errors()
        )
        raise UserError(*problems) from None


def flag_of(name: str) -> str:
    """The flag that sets a field, without its dashes."""
    return _FLAGS.get(name, name.replace("_", "-"))


def resume_run_config(
    saved: RunConfig, given: dict[str, Any], overrides: Sequence[str], where: str
) -> RunConfig:
    """The saved configuration with the flags that may change on resume.

    Raises:
        UserError: For every flag that contradicts the run at `where`.
    """
    problems = [
        f"--{flag_of(name)} {value}: contradicts the resumed run, whose value is"
        f" {getattr(saved, name)} ({where}); leave the flag out, or start a new run with --weights"
        for name, value in given.items()
        if name not in FREE_ON_RESUME and not _same(name, value, saved)
    ]
    problems += [
        f"--set {text}: contradicts the resumed run ({where}); leave it out"
        for text in overrides
        if _changes_recipe(saved.recipe, text)
    ]
    raise_problems(problems)
    free = {name: value for name, value in given.items() if name in FREE_ON_RESUME}
    return saved.model_copy(update=free)


_FLAGS = {"image_size": "img", "sync_batchnorm": "sync-bn"}


def _same(name: str, value: Any, saved: RunConfig) -> bool:
    # `auto` was resolved when the run began.
    is_auto = (name, value) in (("precision", "auto"), ("batch_size", 0))
    return is_auto or bool(getattr(saved, name) == value)


def _changes_recipe(recipe: TrainConfig, text: str) -> bool:
    node = parse_yaml(yaml.safe_dump(recipe.model_dump(mode="json")), "the resumed recipe")
    return validate(apply_overrides(node, [text]), TrainConfig) != recipe
