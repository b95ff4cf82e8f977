"""A training of a classifier: its recipe (`cfg/train/imagenet.yaml`, ...) and its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from yolor_gp.config.overrides import apply_overrides
from yolor_gp.config.run_settings import RunSettings
from yolor_gp.config.shipped import find_shipped
from yolor_gp.config.train_config import Intervals, Recipe
from yolor_gp.config.validate import Settings, validate
from yolor_gp.config.yaml_source import load_yaml

DEFAULT_RECIPE = "classify"


class ClassLossConfig(Settings):
    """Cross entropy over the classes."""

    label_smoothing: float = Field(0.0, ge=0, lt=1)


class ClassAugmentConfig(Settings):
    """Random changes of training images, by torchvision.transforms.v2."""

    crop: Literal["resized", "padded", "none"] = Field(
        "resized", description="a part of the image enlarged; the padded image moved; the middle"
    )
    smallest_crop: float = Field(0.08, gt=0, le=1, description="share of the area, of `resized`")
    padding: float = Field(0.125, ge=0, le=0.5, description="share of the side, of `padded`")
    flip_left_right: float = Field(0.5, ge=0, le=1)
    rand_operations: int = Field(0, ge=0, le=8, description="of RandAugment; 0: none")
    rand_magnitude: int = Field(9, ge=0, le=30, description="of RandAugment")
    jitter: float = Field(0.0, ge=0, le=1, description="brightness, contrast, saturation, +-")
    erase: float = Field(0.0, ge=0, le=1, description="probability that a rectangle goes black")
    mixup: float = Field(0.0, ge=0, description="both parameters of the beta distribution; 0: off")
    cutmix: float = Field(0.0, ge=0, description="both parameters of the beta distribution; 0: off")


class ClassValidationConfig(Intervals):
    """What of an image is looked at in validation and prediction."""

    crop: float = Field(1.0, gt=0, le=1, description="side of the middle, of the shorter side")


class ClassificationRecipe(Recipe):
    """A whole recipe of a classifier."""

    loss: ClassLossConfig = ClassLossConfig()
    augment: ClassAugmentConfig = ClassAugmentConfig()
    validation: ClassValidationConfig = ClassValidationConfig()


class ClassificationConfig(RunSettings):
    """Everything that decides a training of a classifier."""

    data: str = ""
    hyp: str = DEFAULT_RECIPE
    image_size: int = Field(
        0, ge=0, description="side of the square input in pixels; 0: that of the images, up to 224"
    )
    batch_size: int = Field(128, ge=0)
    recipe: ClassificationRecipe = ClassificationRecipe()


def load_classification_recipe(
    name_or_path: str | Path, overrides: Sequence[str] = ()
) -> ClassificationRecipe:
    """A recipe by path or shipped name (`imagenet`), with `section.key=value` overrides.

    Raises:
        UserError: With one line per problem, naming file and line.
    """
    node = load_yaml(find_shipped("train", name_or_path))
    return validate(apply_overrides(node, overrides), ClassificationRecipe)


def make_classification_config(
    given: Mapping[str, Any], overrides: Sequence[str]
) -> ClassificationConfig:
    """A new run from the flags that were given.

    Raises:
        UserError: With a line for each flag or value that is wrong.
    """
    flags = ClassificationConfig.of_flags(given)
    recipe = load_classification_recipe(flags.hyp, overrides)
    return flags.model_copy(update={"recipe": recipe})
