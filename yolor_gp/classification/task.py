"""The task of classification: data set, network, loss and accuracy made into a `Task`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from yolor_gp.classification.batches import BatchMaker, ClassBatch, TrainBatches, ValBatches
from yolor_gp.classification.evaluate import evaluate
from yolor_gp.classification.networks import build_classifier
from yolor_gp.classification.open_data import ClassificationData
from yolor_gp.classification.pictures import batch_picture
from yolor_gp.config.classification_config import ClassificationConfig
from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.engine.distributed.context import DistributedContext, per_rank_batch_size
from yolor_gp.engine.task import Evaluation, Picture, Task
from yolor_gp.errors import UserError
from yolor_gp.interop.transfer import transfer
from yolor_gp.models.blocks.borrowed import load_pretrained
from yolor_gp.models.builder import check_model
from yolor_gp.models.network import ClassifierNetwork
from yolor_gp.structures.tensors import to_device
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


@dataclass(frozen=True)
class ClassLosses:
    """cross_entropy: the mean over the images; total: the same for `nominal_batch` images."""

    cross_entropy: Tensor
    total: Tensor


@dataclass(frozen=True)
class ChosenClassifier:
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


def chosen_classifier(
    config: ClassificationConfig, start: Weights | None = None
) -> ChosenClassifier:
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
        raise UserError("neither --cfg nor --weights is given; name a model, e.g. --cfg resnet34")
    plugins = () if weights is None else weights.plugins
    with plugins_named(plugins, source or spec.file):
        check_model(spec)
    return ChosenClassifier(spec, weights, source, plugins=plugins)


def resumed_classifier(description: dict[str, Any]) -> ChosenClassifier:
    """The model of a training checkpoint, from its description."""
    spec = ModelSpec.from_text(description[MODEL_YAML], "the checkpoint's model")
    plugins = needed_plugins(description)
    return ChosenClassifier(spec, resumed=tuple(description[NAMES]), plugins=plugins)


def build_network_to_train(
    chosen: ChosenClassifier,
    data: ClassificationData,
    config: ClassificationConfig,
    device: torch.device,
) -> tuple[ClassifierNetwork, str]:
    """The network to train on `data`; and where its weights come from.

    Raises:
        UserError: When weights or resumed classes do not belong to it.
    """
    names = data.train.names
    if chosen.resumed is not None and chosen.resumed != names:
        raise UserError(
            f"{config.data}: class names differ from those of the resumed run; resume with the data"
            " it was trained on"
        )
    spec = chosen.spec.with_classes(len(names))
    called = config.cfg or config.weights or spec.file
    network = build_classifier(spec, names, called, device, chosen.plugins)
    if chosen.resumed is not None:
        return network, "resumed"
    if chosen.weights is None:
        return network, ", ".join(("fresh weights", *load_pretrained(network)))
    report = transfer(chosen.weights.tensors, network, chosen.weights.names)
    if not report.copied:
        raise UserError(f"{chosen.source}: not one tensor fits {spec.name}; check --cfg")
    return network, f"{report.summary} from {chosen.source}"


def classification_task(
    config: ClassificationConfig,
    data: ClassificationData,
    network: ClassifierNetwork,
    context: DistributedContext,
    device: torch.device,
) -> Task:
    """Everything the trainer needs. config.batch_size is over all processes."""
    recipe = config.recipe
    maker = BatchMaker(
        data.train,
        recipe.augment,
        config.seed,
        config.image_size,
        per_rank_batch_size(config.batch_size, context),
        context.rank,
        context.size,
    )
    # As if every batch had the nominal size: gradients of several add up to their mean, and a
    # batch beyond it takes a larger step.
    gain = config.batch_size / recipe.optimizer.nominal_batch
    smoothing = recipe.loss.label_smoothing

    def criterion(logits: Tensor, targets: Tensor) -> ClassLosses:
        mean = functional.cross_entropy(
            logits, to_device(targets, logits.device), label_smoothing=smoothing
        )
        return ClassLosses(mean.detach(), mean * gain)

    return Task(
        network=network,
        criterion=criterion,
        loader=TrainBatches(maker, config.workers, pin_memory=device.type == "cuda"),
        validate=_validation(config, data, context, device),
        description=describe(network, config.image_size),
        draw=partial(batch_picture, names=network.names),
    )


def _validation(
    config: ClassificationConfig,
    data: ClassificationData,
    context: DistributedContext,
    device: torch.device,
) -> Callable[[nn.Module, Callable[[], bool]], Evaluation]:
    loader = ValBatches(
        data.val,
        config.image_size,
        config.recipe.validation.crop,
        batch_size=per_rank_batch_size(config.batch_size, context),
        workers=config.workers,
        rank=context.rank,
        world_size=context.size,
    )

    def validate(averaged: nn.Module, must_stop: Callable[[], bool]) -> Evaluation:
        assert isinstance(averaged, ClassifierNetwork)
        pictures: dict[str, Picture] = {}

        def show(batch: ClassBatch, logits: Tensor) -> None:
            if context.is_main and not pictures:
                pictures["val_batch0"] = batch_picture(batch, data.val.names, logits)

        found = evaluate(averaged, loader, device, context=context, must_stop=must_stop, show=show)
        return Evaluation(found.top1, found.named(), pictures, found.table())

    return validate
