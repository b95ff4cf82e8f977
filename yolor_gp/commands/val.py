"""`val.py`: box and mask AP of a network on a data set, by COCO's rules; also under torchrun."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.detection.val_pictures import write_plots
from yolor_gp.detection.validate import Validation, validate
from yolor_gp.detection.views import Views
from yolor_gp.detection.writers.yolo_txt import write_detection_txt
from yolor_gp.engine.distributed.context import DistributedContext, joined_context
from yolor_gp.engine.precision import training_device
from yolor_gp.errors import UserError
from yolor_gp.evaluation.calibration import named_thresholds
from yolor_gp.evaluation.class_table import class_table
from yolor_gp.evaluation.curves import match_boxes
from yolor_gp.export.exported import tell_limits
from yolor_gp.files import check_writable, write_json
from yolor_gp.flags.val import parser
from yolor_gp.model import load_detector
from yolor_gp.weights import own_checkpoint, store_thresholds


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table of APs, write what was asked for; 0, or 70 when another process was lost."""
    options = parser().parse(arguments)
    kind = training_device(options.device).type
    with joined_context(kind, timeout=600, heartbeat=120) as context:
        return _validate(options, context)


def _validate(options: argparse.Namespace, context: DistributedContext) -> int:
    views = Views(options.slice, options.overlap, options.augment)
    if context.is_main:
        _check_places(options)
    device = training_device(options.device, context.local_rank, context.size)
    model = load_detector(
        options.weights, device=device, precision=options.precision, cfg=options.cfg
    )
    config = ValidationConfig(
        confidence=options.confidence,
        nms_iou=options.iou,
        max_detections=options.max_detections,
    )
    if context.is_main:
        tell_limits(model.network, config)
    size = options.image_size or model.image_size
    found = validate(
        model.network,
        options.data,
        config,
        image_size=size,
        batch_size=options.batch_size,
        workers=options.workers,
        backend=options.backend,
        boxes_only=options.boxes_only,
        split=options.split,
        precision=model.precision,
        device=model.device,
        source=model.source,
        context=context,
        views=views,
    )
    if context.is_main:
        print(f"{model.source} on {options.data}: {found.images} images at {size} px")
        print("\n\n".join(filter(None, (_class_table(found), found.result.table()))))
        # What processes wait for one another is in none of the stages.
        print(found.clock.words(-(-found.images // context.size)))
        if options.metrics_json:
            print(f"wrote {write_json(options.metrics_json, found.result.to_json())}")
        if options.save_json:
            print(f"wrote {write_json(options.save_json, found.evaluator.results())}")
        if options.save_txt:
            _write_txt(found, Path(options.save_txt))
            print(f"wrote {options.save_txt}")
        if options.store_thresholds:
            print(_store_thresholds(found, options.weights[0], options.store_thresholds))
        if options.plots:
            for picture in write_plots(found.evaluator, options.plots, found.dataset):
                print(f"wrote {picture}")
    return 0


def _check_places(options: argparse.Namespace) -> None:
    """What cannot be written is told before the evaluation.

    Raises:
        UserError: When thresholds are to be stored with several weights, or with foreign ones.
    """
    if options.store_thresholds:
        if len(options.weights) > 1:
            raise UserError("--store-thresholds: stores with one file; name one in --weights")
        own_checkpoint(options.weights[0])
    for file in (options.metrics_json, options.save_json):
        if file:
            check_writable(file)
    for folder in (options.plots, options.save_txt):
        if folder:
            check_writable(folder, folder=True)


def _class_table(found: Validation) -> str:
    """A row a class, where there is more than one."""
    truth = found.evaluator.truth
    if len(truth.names) < 2:
        return ""
    matches = match_boxes(found.evaluator.images(), found.evaluator.coco, truth.category_ids)
    return class_table(found.result, matches, truth.names)


def _store_thresholds(found: Validation, weights: str, rule: str) -> str:
    truth = found.evaluator.truth
    matches = match_boxes(found.evaluator.images(), found.evaluator.coco, truth.category_ids)
    wanted = None if rule == "f1" else float(rule)
    thresholds = named_thresholds(matches, truth.names, wanted)
    file = store_thresholds(weights, thresholds)
    lowest, highest = min(thresholds.values()), max(thresholds.values())
    return f"stored with {file}: classes are shown from scores of {lowest:.2f} to {highest:.2f} on"


def _write_txt(found: Validation, folder: Path) -> None:
    """A YOLO label file for each image with detections, as `detect.py --save-txt` writes them."""
    stems = {int(k): found.dataset.image_name(i)
             for i, k in enumerate(found.dataset.image_ids)}  # fmt: skip
    for result in found.evaluator.images():
        detections = result.detections()
        write_detection_txt(folder / f"{stems[result.image_id]}.txt", detections, with_score=True)
