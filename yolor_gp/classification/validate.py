"""A classifier held to one part of a data set, on one process or many."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from yolor_gp.classification.batches import ValBatches
from yolor_gp.classification.evaluate import Accuracy, evaluate
from yolor_gp.classification.networks import check_input
from yolor_gp.classification.open_data import open_data
from yolor_gp.engine.distributed.context import DistributedContext, per_rank_batch_size
from yolor_gp.errors import UserError
from yolor_gp.models.network import ClassifierNetwork

_ALONE = DistributedContext()


def validate(
    network: ClassifierNetwork,
    data: str | Path,
    *,
    image_size: int,
    crop: float,
    batch_size: int,
    workers: int,
    precision: str,
    device: torch.device,
    source: str,
    split: Literal["train", "val"] = "val",
    context: DistributedContext = _ALONE,
) -> Accuracy:
    """How often `network` finds the right class, the same on every process.

    Args:
        network: On `device` already.
        data: The folder of a data set.
        image_size: Side of the square input in pixels.
        crop: Side of the middle that is looked at, as a share of the shorter side.
        batch_size: Images at once, over all processes.
        workers: Threads that load images, in each process.
        precision: As `--precision`.
        device: Of this process.
        source: What messages call the network.
        split: The part of the data.
        context: The processes that share the images.

    Raises:
        UserError: When the data cannot be read, or have other classes than the network.
    """
    check_input(network, image_size)
    opened = open_data(data)
    images = opened.train if split == "train" else opened.val
    if images.names != network.names:
        raise UserError(
            f"{data}: has {len(images.names)} classes ({', '.join(images.names[:3])}, ...), but"
            f" {source} was trained for {len(network.names)} ({', '.join(network.names[:3])}, ...)"
        )
    loader = ValBatches(
        images,
        image_size,
        crop,
        batch_size=per_rank_batch_size(batch_size, context),
        workers=workers,
        rank=context.rank,
        world_size=context.size,
    )
    return evaluate(network, loader, device, precision=precision, context=context)
