"""A network held to the validation images of a data set, on one process or many."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from tqdm import tqdm

from yolor_gp.config.data_config import DataConfig, Split, load_data_config
from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.data.datasets import open_dataset
from yolor_gp.data.detection_dataset import DetectionDataset
from yolor_gp.data.loading.loader import PictureLoader, val_loader
from yolor_gp.data.selection import ONE_CLASS, Selection
from yolor_gp.detection.evaluate import evaluate, figures
from yolor_gp.detection.inference import Inference, check_overlap
from yolor_gp.detection.predict import Predictor
from yolor_gp.detection.stage_clock import StageClock
from yolor_gp.detection.views import PLAIN, Views
from yolor_gp.engine.distributed.context import DistributedContext, per_rank_batch_size
from yolor_gp.engine.precision import choose_validation_precision
from yolor_gp.errors import UserError
from yolor_gp.evaluation.coco_backends import Backend
from yolor_gp.evaluation.coco_evaluator import CocoEvaluator
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.models.plan import check_image_size
from yolor_gp.ops.image_size import ImageSize
from yolor_gp.structures.eval_result import EvalResult

_log = logging.getLogger(__name__)

Item = TypeVar("Item")

_ALONE = DistributedContext()


@dataclass(frozen=True)
class Validation:
    """The figures, and on the first process the evaluator with every detection behind them.

    clock: where this process spent its time.
    """

    result: EvalResult
    evaluator: CocoEvaluator
    dataset: DetectionDataset
    clock: StageClock

    @property
    def images(self) -> int:
        """Of the whole data set."""
        return len(self.dataset)


def validate(
    network: DetectionNetwork,
    data: str | Path,
    config: ValidationConfig,
    *,
    image_size: ImageSize,
    batch_size: int,
    workers: int,
    backend: Backend,
    precision: str,
    device: torch.device,
    source: str,
    context: DistributedContext = _ALONE,
    boxes_only: bool = False,
    split: Split = "val",
    views: Views = PLAIN,
) -> Validation:
    """Box and mask AP on the validation images of `data`, the same on every process.

    Args:
        network: On `device` already.
        data: A data YAML or the name of a shipped one.
        config: Thresholds of post-processing.
        image_size: Of the input; multiples of the network's stride.
        batch_size: Images at once, over all processes.
        workers: Threads that load images, in each process.
        backend: Of the evaluation.
        precision: As `--precision`.
        device: Of this process.
        context: The processes that share the images.
        source: What messages call the network.
        split: The part of the data.
        boxes_only: Leave masks out, though the network predicts them.
        views: How pictures are looked at; `batch_size` counts views.

    Raises:
        UserError: When the data cannot be read, or have other classes than the network.
    """
    check_overlap(config.nms_iou, "0.5 to 0.7")
    check_image_size(image_size, network.max_stride)
    dataset = _open(network, load_data_config(data), split, image_size)
    _check_classes(network, dataset, data, source, context)
    with_masks = network.has_masks and not (boxes_only or dataset.has_boxes_only)
    if network.has_masks and not (with_masks or boxes_only) and context.is_main:
        _log.warning("%s: has boxes only; masks are not evaluated", data)
    evaluator = CocoEvaluator(dataset.ground_truth(), with_masks=with_masks, backend=backend)
    clock = StageClock(device)
    share = per_rank_batch_size(batch_size, context)
    if views.is_plain:
        loader = val_loader(
            dataset,
            batch_size=share,
            workers=workers,
            rank=context.rank,
            world_size=context.size,
            pin_memory=device.type == "cuda",
        )
        result = evaluate(
            network, _watched(loader, context), evaluator, config, device,
            precision=precision, context=context, clock=clock,
        )  # fmt: skip
    else:
        chosen = choose_validation_precision(precision, device)
        inference = Inference.of(network, config, device, chosen, clock=clock)
        predictor = Predictor(inference, image_size, views=views, batch=share)
        pictures = PictureLoader(dataset, workers, context.rank, context.size)
        found = (
            (int(dataset.image_ids[index]), predictor([picture])[0])
            for index, picture in clock.waiting(_watched(pictures, context), "load")
        )
        result = figures(found, evaluator, context, clock)
    return Validation(result, evaluator, dataset, clock)


def _watched(items: Iterable[Item], context: DistributedContext) -> Iterable[Item]:
    """The same, with a bar that shows how far it is."""
    seen = context.is_main and sys.stderr.isatty() and _log.isEnabledFor(logging.INFO)
    return tqdm(items, "validating", disable=not seen)


def _open(
    network: DetectionNetwork, config: DataConfig, split: Split, image_size: ImageSize
) -> DetectionDataset:
    """The data set, as far as its classes are those the network was trained for."""
    dataset = open_dataset(config, split, image_size=image_size)
    own, theirs = network.names, dataset.names
    if own == (ONE_CLASS,) and ONE_CLASS not in theirs:
        selection = Selection(single_class=True)
    elif len(own) < len(theirs) and set(own) <= set(theirs):
        selection = Selection(own)
    else:
        return dataset
    _log.info("of %s: %s", config.file, ", ".join(own))
    return open_dataset(config, split, image_size=image_size, selection=selection)


def _check_classes(
    network: DetectionNetwork,
    dataset: DetectionDataset,
    data: str | Path,
    source: str,
    context: DistributedContext,
) -> None:
    if len(dataset.names) != network.num_classes:
        raise UserError(
            f"{data}: {len(dataset.names)} classes, but {source} was trained for"
            f" {network.num_classes}; use the data it was trained on"
        )
    if context.is_main and dataset.names != network.names:
        _log.warning("warning: %s calls its classes otherwise than %s does", data, source)
