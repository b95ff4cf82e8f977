"""`--hyp auto`: the recipe that fits a data set, from what is known before the first step.

A network learns by updates, not by epochs: a recipe made for COCO's 118 000 images ends on a
hundred of them before its warm-up does. docs/recipes.md holds the measurements behind each rule.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from yolor_gp.config.train_config import (
    AugmentConfig,
    EmaConfig,
    LossConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainConfig,
    ValidationConfig,
)
from yolor_gp.data.detection_dataset import DetectionDataset
from yolor_gp.ops.image_size import AnySize, ImageSize

LARGE_SET = 50_000
"""Images from which the paper's recipe, made for COCO, is taken as it is."""

_BATCH = 16  # images of an update, unless that leaves too few updates
_SMALL_BATCH = 8
_FEW_UPDATES = 5000
_VALIDATIONS = 20  # in a run
_COCO_DENSITY = 7.3  # objects an image, for which the gains of the loss were found
_MOST_BOX_SHARE = 2.0
_GAIN_PER_NAT = 0.18  # of classification, by the entropy of the classes
_LEAST_GAIN, _MOST_GAIN = 0.02, 0.5


@dataclass(frozen=True)
class Situation:
    """What a recipe depends on.

    Attributes:
        images: Of the training part.
        objects: In them.
        classes: Their number.
        class_entropy: Of an object's class, in nats: log(classes) where all are as frequent.
        small_objects: The share of objects below 32 px at the size of training.
        image_size: Of the input.
        batch_size: Images of a batch over all processes; 0 where it is not known yet.
        pretrained: Whether training starts from weights rather than from noise.
        epochs: Where the user has said how many.
    """

    images: int
    objects: int
    classes: int
    class_entropy: float
    small_objects: float
    image_size: ImageSize
    batch_size: int
    pretrained: bool
    epochs: int | None = None

    @property
    def density(self) -> float:
        """Objects an image."""
        return self.objects / max(self.images, 1)

    @property
    def batches(self) -> int:
        """In an epoch."""
        return math.ceil(self.images / (self.batch_size or _BATCH))

    @property
    def nominal_batch(self) -> int:
        """Images of an update at least."""
        return min(max(self.batch_size or _BATCH, _SMALL_BATCH), _BATCH)

    @property
    def accumulated(self) -> int:
        """Batches of an update."""
        return max(round(self.nominal_batch / (self.batch_size or _BATCH)), 1)


def situation_of(
    dataset: DetectionDataset,
    *,
    image_size: AnySize,
    batch_size: int,
    pretrained: bool,
    epochs: int | None,
) -> Situation:
    """What a recipe for `dataset` depends on."""
    table = dataset.table
    counts = np.diff(table.object_ends, prepend=0)
    size = ImageSize.of(image_size)
    scale = np.repeat(size.fit(table.sizes), counts)
    sides = np.sqrt(np.prod(table.boxes[:, 2:] - table.boxes[:, :2], axis=1)) * scale
    small = float((sides < 32).mean()) if len(sides) else 0.0
    return Situation(
        len(table), len(table.labels), len(table.names), _entropy(table.labels), small, size,
        batch_size, pretrained, epochs,
    )  # fmt: skip


def _entropy(labels: NDArray[np.int64]) -> float:
    counts = np.bincount(labels)
    shares = counts[counts > 0] / max(len(labels), 1)
    return float((shares * np.log(1 / shares)).sum())


def usual_batch(situation: Situation) -> int:
    """Images of a batch where nothing else is said: half as many where updates would be few.

    For one process; the situation's own batch size does not count.
    """
    usual = replace(situation, batch_size=_BATCH)
    epochs = usual.epochs or _epochs(usual)
    return _SMALL_BATCH if epochs * usual.batches < _FEW_UPDATES else _BATCH


def choose_recipe(situation: Situation) -> tuple[TrainConfig, list[str]]:
    """A recipe, and why, in a few lines for people.

    The same situation gives the same recipe.
    """
    if situation.images >= LARGE_SET:
        text = f"{situation.images} images: the paper's recipe for COCO (yolor-640)"
        return TrainConfig(), [text]
    epochs = situation.epochs or _epochs(situation)
    batches = epochs * situation.batches
    updates = max(batches // situation.accumulated, 1)
    warmup = min(max(round(0.06 * batches), 20), 1000, max(batches // 4, 1))
    horizon = max(round(updates / 30), 1)
    closing = max(round(0.15 * epochs), 1) if epochs > 1 else 0
    rate = 0.0005 if situation.pretrained else 0.002
    every = max(round(epochs / _VALIDATIONS), 1)
    recipe = TrainConfig(
        optimizer=OptimizerConfig(
            name="adamw",
            learning_rate=rate,
            momentum=0.9,
            nominal_batch=situation.nominal_batch,
            clip_norm=10.0,
        ),
        schedule=ScheduleConfig(
            epochs=epochs,
            final_fraction=0.01,
            warmup_epochs=warmup / situation.batches,
            warmup_min_steps=0,
            warmup_bias_lr=0.0,
            close_mosaic=closing,
        ),
        ema=EmaConfig(decay=1 - 1 / (horizon + 1), warmup=max(2.0 * horizon, 1.0)),
        loss=LossConfig(
            box=_box(situation),
            # The loss will scale it by classes / 80.
            classification=_classes_weigh(situation) * 80 / max(situation.classes, 1),
        ),
        augment=AugmentConfig(scale=0.5, mosaic_pool=0),
        validation=ValidationConfig(every=every),
    )
    return recipe, _reasons(situation, recipe)


def _reasons(situation: Situation, recipe: TrainConfig) -> list[str]:
    """What was chosen and why, for people."""
    schedule, loss = recipe.schedule, recipe.loss
    start = "given weights" if situation.pretrained else "fresh weights"
    updates = max(schedule.epochs * situation.batches // situation.accumulated, 1)
    warmup = round(schedule.warmup_epochs * situation.batches)
    horizon = round(1 / (1 - recipe.ema.decay)) - 1
    return [
        f"{situation.images} images, {situation.objects} objects of {situation.classes} classes"
        f" ({situation.small_objects:.0%} small), {start}: adamw at"
        f" {recipe.optimizer.learning_rate:g}, which learns within few updates",
        f"{schedule.epochs} epochs make {updates} updates: what counts is updates, not epochs",
        f"warm-up over {warmup} batches, then a cosine to 1%: weights and batch statistics have"
        " come to rest at the end",
        f"average over the last {horizon} updates, validation every {recipe.validation.every}"
        f" epochs; boxes weigh {loss.box:.2g} ({situation.density:.3g} objects an image), classes"
        f" {_classes_weigh(situation):.2g} (entropy {situation.class_entropy:.2g})",
        f"mosaic from the whole set, scale 1 +- {recipe.augment.scale:g}; both milder in the last"
        f" {schedule.close_mosaic} epochs",
    ]


def _epochs(situation: Situation) -> int:
    """Enough updates for a small set, smaller ones counting less; enough passes for a large one."""
    updates, passes = (600, 50) if situation.pretrained else (1200, 100)
    enough = updates * _BATCH / situation.nominal_batch
    return max(math.ceil(enough * situation.accumulated / situation.batches), passes)


def _box(situation: Situation) -> float:
    """The gain of boxes, whose loss is a mean over objects, beside objectness's over cells.

    Where images hold more objects than COCO's, each has less of a share in the former.
    """
    share = min(max(situation.density / _COCO_DENSITY, 1.0), _MOST_BOX_SHARE)
    return LossConfig().box * share


def _classes_weigh(situation: Situation) -> float:
    """The gain of classes, by how much there is to tell apart."""
    return min(max(_GAIN_PER_NAT * situation.class_entropy, _LEAST_GAIN), _MOST_GAIN)
