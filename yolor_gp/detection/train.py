"""A detection training run from configuration to outcome."""

from __future__ import annotations

import itertools
import logging

import torch

from yolor_gp.analysis.gradient_flow import GradientFlow
from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.config.run_config import RunConfig
from yolor_gp.detection.chosen_recipe import say_recipe, with_recipe
from yolor_gp.detection.task import (
    DetectionData,
    build_detection_network,
    chosen_model,
    detection_task,
    open_data,
    resumed_model,
)
from yolor_gp.engine.auto_batch import with_batch
from yolor_gp.engine.budget import within_time
from yolor_gp.engine.distributed.context import DistributedContext, per_rank_batch_size
from yolor_gp.engine.runs import Run
from yolor_gp.engine.task import Task
from yolor_gp.engine.trainer import Outcome
from yolor_gp.engine.training_run import prepare_process, record_and_train
from yolor_gp.errors import UserError
from yolor_gp.models.freeze import BOXES, modules_to_freeze
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.models.statistics import has_neutral_statistics, restore_statistics

_log = logging.getLogger(__name__)

_STATISTICS_BATCHES = 4


def train_detector(run: Run[RunConfig], context: DistributedContext) -> Outcome:
    """Train on this process; every process of `context` calls it with the same `run`."""
    config = run.config
    device, precision = prepare_process(config, context)
    # What is wrong with the model is told before minutes go into the data.
    if run.resumed is None:
        chosen = chosen_model(config, run.start)
    else:
        chosen = resumed_model(run.resumed["description"])
    data = open_data(config, context)
    given, is_new = config, run.resumed is None
    pretrained = chosen.is_pretrained
    if is_new:
        config = with_recipe(given, data.train, pretrained=pretrained, processes=context.size)
    network, origin = build_detection_network(chosen, data, config, device)
    network.freeze(modules_to_freeze(network, config.freeze))
    if BOXES in config.freeze:
        network.anchor_head.freeze_boxes()

    def task_of(config: RunConfig, context: DistributedContext) -> Task:
        return detection_task(config, data, network, context, device)

    config = with_batch(config, task_of, precision, device, context)
    _check_statistics(config, network, context)
    task = task_of(config, context)
    if is_new and config.time:
        epochs = within_time(
            config, task, precision, device, context, validation_images=len(data.val)
        )
        config = with_recipe(
            config.model_copy(update={"recipe": given.recipe}),
            data.train,
            pretrained=pretrained,
            processes=context.size,
            epochs=epochs,
        )
        task = task_of(config, context)  # closes mosaic later now
    if is_new and chosen.weights is not None and has_neutral_statistics(network):
        _measure_statistics(task, network, context, device)
    if context.is_main:
        say_recipe(config)
    return record_and_train(
        run,
        task,
        config,
        what=_what(chosen.spec, config, data, origin),
        model_yaml=network.spec.resolved_yaml,
        data=data.fingerprint,
        observe=GradientFlow,
        context=context,
        device=device,
        precision=precision,
    )


def _measure_statistics(
    task: Task, network: DetectionNetwork, context: DistributedContext, device: torch.device
) -> None:
    """Before the first step of weights that were folded once; the function does not change."""
    batches = itertools.islice(task.loader.epoch(0), _STATISTICS_BATCHES)
    count = restore_statistics(network, (batch.images.to(device) / 255 for batch in batches))
    context.broadcast_weights(network)
    if context.is_main:
        _log.info(
            "the weights were folded once: %d normalisations have neutral statistics, which were"
            " measured on %d batches; the function is the same",
            count,
            _STATISTICS_BATCHES,
        )


def _check_statistics(
    config: RunConfig, network: DetectionNetwork, context: DistributedContext
) -> None:
    """Batch normalisation needs more than one value of a channel, also on the coarsest level.

    Raises:
        UserError: When there is only one, with sizes that would do.
    """
    cells = config.image_size.pixels // network.max_stride**2
    if per_rank_batch_size(config.batch_size, context) * cells < 2:
        raise UserError(
            f"--batch-size {config.batch_size} with --img {config.image_size}: one cell of one"
            f" image is too little for batch normalisation; use --img {2 * network.max_stride} or"
            f" --batch-size {2 * context.size}"
        )


def _what(spec: ModelSpec, config: RunConfig, data: DetectionData, origin: str) -> str:
    """What is trained on what, for people."""
    if data.train.has_boxes_only and not config.boxes_only:
        origin += "; boxes only, as the data have no masks"
    return (
        f"{config.cfg or config.weights or spec.name}: {origin}; {len(data.train)} training and"
        f" {len(data.val)} validation images at {config.image_size} px"
    )
