"""The training recipe (`cfg/train/*.yaml`): every key with its default, unit and source.

Defaults are the paper's rules (arXiv 2211.04800, implementation details) for 640 px on COCO.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field

from yolor_gp.config.validate import Settings, validate
from yolor_gp.config.yaml_source import load_yaml


class OptimizerConfig(Settings):
    """SGD with Nesterov momentum, or AdamW; weight decay on convolution weights only."""

    name: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = Field(0.01, gt=0)
    momentum: float = Field(0.937, ge=0, lt=1)
    weight_decay: float = Field(5e-4, ge=0)
    nominal_batch: int = Field(64, ge=1, description="gradients accumulate to this many images")
    clip_norm: float | None = Field(None, gt=0)


class ScheduleConfig(Settings):
    """Learning rate over the epochs: warm-up, then cosine or linear to final_fraction * lr.

    Or in steps: times step_factor after every step_epochs.
    """

    epochs: int = Field(300, ge=1)
    shape: Literal["cosine", "linear", "step"] = "cosine"
    final_fraction: float = Field(0.2, ge=0, le=1)
    power: float = Field(1.0, gt=0, description="of shape `linear`; above 1: a polynomial")
    step_epochs: int = Field(10, ge=1, description="of shape `step`")
    step_factor: float = Field(0.1, gt=0, lt=1, description="of shape `step`")
    warmup_epochs: float = Field(3.0, ge=0)
    warmup_min_steps: int = Field(1000, ge=0)
    warmup_momentum: float = Field(0.8, ge=0, lt=1)
    warmup_bias_lr: float = Field(0.1, ge=0)
    close_mosaic: int = Field(0, ge=0, description="last epochs without mosaic, mixup, copy-paste")
    patience: int = Field(0, ge=0, description="epochs without a better AP before stopping; 0: off")


class EmaConfig(Settings):
    """Exponential moving average of the weights: decay * (1 - exp(-updates / warmup))."""

    decay: float = Field(0.9999, ge=0, lt=1)
    warmup: float = Field(2000, gt=0)


class Intervals(Settings):
    """When the averaged network is validated."""

    every: int = Field(1, ge=1, description="epochs between validations; the last always is")


class Recipe(Settings):
    """What the recipe of any task has; it adds `loss` and `augment`."""

    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    ema: EmaConfig = EmaConfig()
    validation: Intervals = Intervals()

    def to_yaml(self) -> str:
        """Readable back by whoever reads this task's recipes."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


class LossConfig(Settings):
    """Gains before scaling (by classes / 80, 3 / levels and, where asked, image size)."""

    box: float = Field(0.05, ge=0)
    box_iou: str = Field("ciou", description="iou, giou, diou, ciou or a plugin's")
    classification: float = Field(0.3, ge=0)
    objectness: float = Field(0.7, ge=0)
    objectness_scales_with_size: bool = Field(False, description="times (image / 640)^2")
    anchor_threshold: float = Field(4.0, gt=1)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    class_weights: Literal["none", "auto"] | tuple[Annotated[float, Field(ge=0)], ...] = Field(
        "none", description="of each class; auto: the inverse root of its objects"
    )
    focal_gamma: float = Field(0.0, ge=0)
    focal_alpha: float = Field(0.25, ge=0, le=1)
    balance: tuple[float, ...] = (4.0, 1.0, 0.4)
    mask: float = Field(1.0, ge=0, description="of the box gain")
    mask_samples: Literal[1, 2, 4] = Field(
        1,
        description="points a side of a prototype's cell at which masks are looked up; 1: in it"
        " or not, more: the share of the cell that is covered",
    )


class AugmentConfig(Settings):
    """Random changes of training images; probabilities in 0..1."""

    mosaic: float = Field(1.0, ge=0, le=1)
    mosaic_pool: int = Field(
        64, ge=0, description="partners come from so many images shown lately; 0: from all"
    )
    repeat_rare: float = Field(
        0.0, ge=0, le=1, description="classes on a smaller share of the images are shown more often"
    )
    mixup: float = Field(0.0, ge=0, le=1)
    mixup_beta: float = Field(32.0, gt=0)
    copy_paste: float = Field(0.0, ge=0, le=1)
    hue: float = Field(0.015, ge=0, le=0.5)
    saturation: float = Field(0.7, ge=0, le=1)
    value: float = Field(0.4, ge=0, le=1)
    rotate: float = Field(0.0, ge=0, le=180, description="degrees, +-")
    translate: float = Field(0.1, ge=0, le=1, description="fraction of the image, +-")
    scale: float = Field(0.9, ge=0, lt=1, description="gain 1 +- scale")
    shear: float = Field(0.0, ge=0, lt=90, description="degrees, +-")
    perspective: float = Field(0.0, ge=0, le=0.001)
    flip_left_right: float = Field(0.5, ge=0, le=1)
    flip_up_down: float = Field(0.0, ge=0, le=1)
    multi_scale: float = Field(0.0, ge=0, lt=1, description="image size 1 +- this, each step")
    transforms: list[dict[str, dict[str, Any]]] = Field(
        default_factory=list, description="of plugins, [{Name: {argument: value}}, ...]"
    )
    albumentations: list[dict[str, dict[str, Any]]] = Field(
        default_factory=list, description="[{TransformName: {argument: value}}, ...]"
    )


class ValidationConfig(Intervals):
    """Post-processing during validation [GP, implementation details]."""

    confidence: float = Field(0.001, ge=0, le=1)
    nms_iou: float = Field(0.65, gt=0, le=1)
    multi_label: bool = True
    max_detections: int = Field(300, ge=1)
    mask_threshold: float = Field(0.5, gt=0, lt=1)


class TrainConfig(Recipe):
    """A whole recipe of a detector."""

    loss: LossConfig = LossConfig()
    augment: AugmentConfig = AugmentConfig()
    validation: ValidationConfig = ValidationConfig()


def merged(base: TrainConfig, given: TrainConfig) -> TrainConfig:
    """`base` with every key that was set in `given`."""
    values = base.model_dump()
    for section, keys in given.model_dump(exclude_unset=True).items():
        values[section] |= keys
    return TrainConfig.model_validate(values)


def load_train_config(path: str | Path) -> TrainConfig:
    """Read a recipe.

    Raises:
        UserError: With one line per problem, naming file and line.
    """
    return validate(load_yaml(path), TrainConfig)
