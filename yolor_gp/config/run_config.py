"""A training run: the recipe and what the command line says around it; kept in the run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from yolor_gp.config.overrides import apply_overrides
from yolor_gp.config.run_settings import InputSize, RunSettings
from yolor_gp.config.shipped import find_shipped
from yolor_gp.config.train_config import TrainConfig
from yolor_gp.config.validate import validate
from yolor_gp.config.yaml_source import load_yaml, parse_yaml
from yolor_gp.config.yolov5_recipe import from_yolov5, is_yolov5_recipe
from yolor_gp.ops.image_size import ImageSize

AUTO = "auto"
"""What `hyp` says for the recipe that is made to fit the data."""


class RunConfig(RunSettings):
    """Everything that decides a training of a detector."""

    data: str = "shapes"
    hyp: str = AUTO
    image_size: InputSize = ImageSize(640, 640)
    boxes_only: bool = Field(False, description="leave the mask branch out")
    classes: tuple[str, ...] = Field((), description="names or numbers of those kept; (): all")
    single_class: bool = Field(False, description="all classes count as one")
    fraction: float = Field(1.0, gt=0, le=1, description="share of the training images")
    anchors: Literal["", "auto", "keep"] = Field("", description="'': auto where they fit poorly")
    recipe: TrainConfig = TrainConfig()
    reasons: tuple[str, ...] = Field((), description="of a recipe that was made to fit")
    cache: Literal["none", "ram"] = "none"


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


def make_run_config(given: Mapping[str, Any], overrides: Sequence[str]) -> RunConfig:
    """A new run from the flags that were given.

    Raises:
        UserError: With a line for each flag or value that is wrong.
    """
    flags = RunConfig.of_flags(given)
    return flags.model_copy(update={"recipe": load_recipe(flags.hyp, overrides)})
