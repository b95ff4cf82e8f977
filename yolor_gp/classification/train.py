"""A training run of a classifier from configuration to outcome."""

from __future__ import annotations

from functools import partial

import numpy as np

from yolor_gp.analysis.gradient_flow import GradientFlow
from yolor_gp.classification.examine import examine
from yolor_gp.classification.labelled_images import LabelledImages
from yolor_gp.classification.networks import check_input
from yolor_gp.classification.open_data import ClassificationData, open_data
from yolor_gp.classification.task import (
    build_network_to_train,
    chosen_classifier,
    classification_task,
    resumed_classifier,
)
from yolor_gp.config.classification_config import ClassificationConfig
from yolor_gp.data.pixels.images import image_size
from yolor_gp.engine.auto_batch import with_batch
from yolor_gp.engine.budget import of_length, within_time
from yolor_gp.engine.data_check import check_data
from yolor_gp.engine.distributed.context import DistributedContext, per_rank_batch_size
from yolor_gp.engine.runs import Run
from yolor_gp.engine.task import Task
from yolor_gp.engine.trainer import Outcome
from yolor_gp.engine.training_run import prepare_process, record_and_train
from yolor_gp.errors import UserError
from yolor_gp.models.freeze import modules_to_freeze

LARGEST_SIZE = 224
"""In pixels, unless another is asked for: smaller images are not enlarged."""

_LOOKED_AT = 50


def train_classifier(run: Run[ClassificationConfig], context: DistributedContext) -> Outcome:
    """Train on this process; every process of `context` calls it with the same `run`.

    Raises:
        UserError: For whatever is wrong with the settings, the data or the model.
    """
    config = run.config
    device, precision = prepare_process(config, context)
    # What is wrong with the model is told before minutes go into the data.
    if run.resumed is None:
        chosen = chosen_classifier(config, run.start)
    else:
        chosen = resumed_classifier(run.resumed["description"])
    data = _examined(config, context)
    size = config.image_size or natural_size(data.train)
    config = config.model_copy(update={"image_size": size})
    network, origin = build_network_to_train(chosen, data, config, device)
    check_input(network, size)
    network.freeze(modules_to_freeze(network, config.freeze))

    def task_of(config: ClassificationConfig, context: DistributedContext) -> Task:
        return classification_task(config, data, network, context, device)

    config = with_batch(config, task_of, precision, device, context)
    if per_rank_batch_size(config.batch_size, context) < 2:
        raise UserError("--batch-size: one image is too little for batch normalisation; use 2")
    task = task_of(config, context)
    if run.resumed is None and config.time:
        epochs = within_time(
            config, task, precision, device, context, validation_images=len(data.val)
        )
        config = of_length(config, epochs)
    name = config.cfg or config.weights or chosen.spec.name
    return record_and_train(
        run,
        task,
        config,
        what=(
            f"{name}: {origin}; {len(data.train.names)} classes, {len(data.train)} training and"
            f" {len(data.val)} validation images at {size} px"
        ),
        model_yaml=network.spec.resolved_yaml,
        data=data.fingerprint,
        observe=GradientFlow,
        context=context,
        device=device,
        precision=precision,
    )


def natural_size(images: LabelledImages) -> int:
    """A side of the input that does not enlarge most images, at most `LARGEST_SIZE` pixels."""
    if images.pictures is not None:
        sides = [int(side) for side in images.pictures.shape[1:3]]
    else:
        some = images.paths[:: max(len(images) // _LOOKED_AT, 1)]
        sides = [int(np.median([min(image_size(path)) for path in some]))]
    return max(min([*sides, LARGEST_SIZE]), 32)


def _examined(config: ClassificationConfig, context: DistributedContext) -> ClassificationData:
    """The data, on every process; the first one goes ahead and examines them.

    Raises:
        UserError: When they are not named, or something in them is wrong.
    """
    if not config.data:
        raise UserError("--data: name the folder of a data set: train/CLASS/*.jpg, val/...")
    data: ClassificationData | None = None
    if context.is_main:
        data = open_data(config.data)
        check_data(partial(examine, data))
    context.barrier()
    return data or open_data(config.data)
