"""The task of detection: data set, network, loss and COCO evaluation made into a `Task`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from yolor_gp.config.data_config import load_data_config
from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.config.run_config import RunConfig
from yolor_gp.config.train_config import LossConfig
from yolor_gp.data.datasets import open_dataset
from yolor_gp.data.detection_dataset import DetectionDataset
from yolor_gp.data.doctor import examine
from yolor_gp.data.loading.loader import train_loader, val_loader
from yolor_gp.data.selection import Selection
from yolor_gp.detection.anchors import fitted_spec
from yolor_gp.detection.evaluate import evaluate
from yolor_gp.detection.networks import build_detector, transfer
from yolor_gp.engine.data_check import check_data
from yolor_gp.engine.distributed.context import DistributedContext, per_rank_batch_size
from yolor_gp.engine.task import Evaluation, Picture, Task
from yolor_gp.errors import UserError
from yolor_gp.evaluation.coco_evaluator import CocoEvaluator
from yolor_gp.losses.box_loss import find_box_iou
from yolor_gp.models.blocks.borrowed import load_pretrained
from yolor_gp.models.builder import check_model, without_masks
from yolor_gp.models.heads.detection_head import DetectionCriterion
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.ops.image_size import AnySize, ImageSize
from yolor_gp.structures.batch import Batch
from yolor_gp.structures.detections import Detections
from yolor_gp.visualize.batches import labelled_batch, predictions_against_truth
from yolor_gp.weights import (
    MODEL_YAML,
    NAMES,
    Weights,
    describe,
    needed_plugins,
    plugins_named,
    read_model,
    read_weights,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DetectionData:
    """The two halves of a data set, opened."""

    train: DetectionDataset
    val: DetectionDataset

    @property
    def fingerprint(self) -> dict[str, str]:
        """What the data are, for provenance."""
        return {"train": self.train.fingerprint, "val": self.val.fingerprint}


def open_data(config: RunConfig, context: DistributedContext) -> DetectionData:
    """Open both halves; the first process goes ahead, examines them and writes the caches."""
    data: DetectionData | None = None
    if context.is_main:
        check_data(partial(examine, load_data_config(config.data)))
        data = _open(config)
    context.barrier()
    return data or _open(config)


@dataclass(frozen=True)
class ChosenModel:
    """The model to train, read and checked, before it is built.

    Attributes:
        spec: The model file.
        weights: To begin with; None for fresh ones.
        source: What messages call the weights.
        resumed: Class names of the run that is resumed, whose weights are put back later.
        plugins: That its file was made with and that are not loaded.
    """

    spec: ModelSpec
    weights: Weights | None = None
    source: str | None = None
    resumed: tuple[str, ...] | None = None
    plugins: tuple[str, ...] = ()

    @property
    def is_pretrained(self) -> bool:
        """Whether the whole network has learned something, and not only a part of it."""
        return self.weights is not None and not self.weights.is_classifier


def chosen_model(config: RunConfig, start: Weights | None = None) -> ChosenModel:
    """What `cfg` and `weights` name, the whole model file checked; `start` counts before them.

    Raises:
        UserError: For all that is wrong with them.
    """
    weights, source = start, "the model in memory"
    if start is None and config.weights is not None:
        weights, source = read_weights(config.weights, config.cfg), config.weights
    if config.cfg is not None and start is None:
        spec = read_model(config.cfg)
    elif weights is not None:
        spec = weights.spec
    else:
        raise UserError("neither --cfg nor --weights is given; name a model, e.g. --cfg yolor-csp")
    if weights is not None and weights.is_classifier and spec is weights.spec:
        raise UserError(f"{source}: a classifier; name the detector that it begins, e.g. --cfg X")
    plugins = () if weights is None else weights.plugins
    with plugins_named(plugins, source or spec.file):
        check_model(spec, config.image_size)
    find_box_iou(config.recipe.loss.box_iou)
    return ChosenModel(spec, weights, source)


def resumed_model(description: dict[str, Any]) -> ChosenModel:
    """The model of a training checkpoint, from its description."""
    spec = ModelSpec.from_text(description[MODEL_YAML], "the checkpoint's model")
    plugins = needed_plugins(description)
    return ChosenModel(spec, resumed=tuple(description[NAMES]), plugins=plugins)


def build_detection_network(
    chosen: ChosenModel, data: DetectionData, config: RunConfig, device: torch.device
) -> tuple[DetectionNetwork, str]:
    """The network to train on `data`; and where its weights come from.

    Where the data have boxes only, its mask branch is left out.

    Raises:
        UserError: When weights or resumed classes do not belong to it.
    """
    names = data.train.names
    if chosen.resumed is not None:
        if chosen.resumed != names:
            raise UserError(
                f"{config.data}: class names differ from those of the resumed run; resume with the"
                " data it was trained on"
            )
        with plugins_named(chosen.plugins, chosen.spec.file):
            return build_detector(chosen.spec, names, chosen.spec.file, device), "resumed"
    spec = chosen.spec.with_classes(len(names))
    if config.boxes_only or data.train.has_boxes_only:
        spec = without_masks(spec)
    choice = config.anchors or ("keep" if chosen.is_pretrained else "")
    threshold = config.recipe.loss.anchor_threshold
    spec, words = fitted_spec(spec, data.train.table, config.image_size, threshold, choice)
    if words is not None:
        _log.info("%s", words)
    network = build_detector(spec, names, spec.file, device)
    if chosen.weights is None:
        return network, ", ".join(("fresh weights", *load_pretrained(network)))
    report = transfer(network, chosen.weights)
    if not report.copied:
        raise UserError(f"{chosen.source}: not one tensor fits {spec.name}; check --cfg")
    return network, f"{report.summary} from {chosen.source}"


def detection_task(
    config: RunConfig,
    data: DetectionData,
    network: DetectionNetwork,
    context: DistributedContext,
    device: torch.device,
) -> Task:
    """Everything the trainer needs. config.batch_size is over all processes."""
    recipe = config.recipe
    share = per_rank_batch_size(config.batch_size, context)
    on_gpu = device.type == "cuda"
    loader = train_loader(
        data.train,
        batch_size=share,
        augment=recipe.augment,
        seed=config.seed,
        workers=config.workers,
        rank=context.rank,
        world_size=context.size,
        mask_stride=mask_stride(network, recipe.loss) if network.has_masks else None,
        stride=network.max_stride,
        pin_memory=on_gpu,
        mosaic_epochs=recipe.schedule.epochs - recipe.schedule.close_mosaic,
    )
    return Task(
        network=network,
        criterion=detection_loss(network, recipe.loss, config.image_size, context),
        loader=loader,
        validate=_validation(config, data.val, network, context, device, share),
        description=describe(network, config.image_size),
        draw=partial(labelled_batch, names=network.names),
    )


def mask_stride(network: DetectionNetwork, config: LossConfig) -> int:
    """Pixels between the points at which the loss looks up masks.

    Raises:
        UserError: When it would look between pixels.
    """
    stride, points = network.head.prototype_stride, config.mask_samples
    if stride % points:
        raise UserError(
            f"loss.mask_samples: {points} points a side of a prototype's cell of {stride} pixels;"
            f" expected at most {stride}"
        )
    return stride // points


def detection_loss(
    network: DetectionNetwork, config: LossConfig, image_size: AnySize, context: DistributedContext
) -> DetectionCriterion:
    """The loss of the network's head, over all processes."""
    return network.head.criterion(
        config,
        image_size=ImageSize.of(image_size),
        reduce_counts=context.sum if context.size > 1 else None,
        world_size=context.size,
    )


def _validation(
    config: RunConfig,
    dataset: DetectionDataset,
    network: DetectionNetwork,
    context: DistributedContext,
    device: torch.device,
    share: int,
) -> Callable[[nn.Module, Callable[[], bool]], Evaluation]:
    loader = val_loader(
        dataset,
        batch_size=share,
        workers=config.workers,
        rank=context.rank,
        world_size=context.size,
        pin_memory=device.type == "cuda",
    )
    with_masks = network.has_masks and not dataset.has_boxes_only
    evaluator = CocoEvaluator(dataset.ground_truth(), with_masks=with_masks)

    def validate(averaged: nn.Module, must_stop: Callable[[], bool]) -> Evaluation:
        pictures: dict[str, Picture] = {}

        def show(batch: Batch, detections: list[Detections]) -> None:
            if context.is_main and not pictures:
                confident = [found.select(found.scores > 0.25) for found in detections]
                picture = predictions_against_truth(batch, confident, network.names)
                pictures["val_batch0"] = picture

        assert isinstance(averaged, DetectionNetwork)
        result = evaluate(
            averaged, loader, evaluator, config.recipe.validation, device,
            context=context, must_stop=must_stop, show=show,
        )  # fmt: skip
        return Evaluation(result.score, result.named(), pictures, result.table())

    return validate


def _open(config: RunConfig) -> DetectionData:
    data_config = load_data_config(config.data)
    selection = Selection(config.classes, config.single_class, config.fraction)
    train = open_dataset(
        data_config,
        "train",
        image_size=config.image_size,
        cache=config.cache,
        selection=selection,
    )
    val = open_dataset(
        data_config, "val", image_size=config.image_size, selection=replace(selection, fraction=1)
    )
    if train.names != val.names:
        raise UserError(
            f"{config.data}: training and validation have different classes: {train.names} and"
            f" {val.names}"
        )
    return DetectionData(train, val)
