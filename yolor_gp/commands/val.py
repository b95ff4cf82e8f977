"""`val.py`: box and mask AP of a network on a data set, by COCO's rules; also under torchrun."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from yolor_gp.commands.arguments import Arguments, fraction, one_of, whole_number
from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.detection.validate import validate
from yolor_gp.engine.distributed.context import DistributedContext, joined_context
from yolor_gp.engine.precision import PRECISIONS, training_device
from yolor_gp.errors import UserError
from yolor_gp.evaluation.coco_evaluator import CocoEvaluator
from yolor_gp.evaluation.curves import confusion_matrix, match_boxes
from yolor_gp.files import check_writable, write_json
from yolor_gp.model import load
from yolor_gp.visualize.plots import plot_confusion, plot_precision_recall


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table of APs, write what was asked for; 0, or 70 when another process was lost."""
    options = _parser().parse(arguments)
    kind = training_device(options.device).type
    with joined_context(kind, timeout=600, heartbeat=120) as context:
        return _validate(options, context)


def _validate(options: argparse.Namespace, context: DistributedContext) -> int:
    if context.is_main:
        _check_places(options)
    device = training_device(options.device, context.local_rank, context.size)
    model = load(options.weights, device=device, precision=options.precision, cfg=options.cfg)
    config = ValidationConfig(
        confidence=options.confidence,
        nms_iou=options.iou,
        max_detections=options.max_detections,
    )
    found = validate(
        model.network,
        options.data,
        config,
        image_size=options.image_size or model.image_size,
        batch_size=options.batch_size,
        workers=options.workers,
        backend=options.backend,
        boxes_only=options.boxes_only,
        split=options.split,
        precision=model.precision,
        device=model.device,
        source=model.source,
        context=context,
    )
    if context.is_main:
        size = options.image_size or model.image_size
        print(f"{options.weights} on {options.data}: {found.images} images at {size} px")
        print(found.result.table())
        if options.metrics_json:
            print(f"wrote {write_json(options.metrics_json, found.result.to_json())}")
        if options.save_json:
            print(f"wrote {write_json(options.save_json, found.evaluator.results())}")
        for picture in write_plots(found.evaluator, options.plots) if options.plots else ():
            print(f"wrote {picture}")
    return 0


def _check_places(options: argparse.Namespace) -> None:
    """What cannot be written is told before the evaluation."""
    for file in (options.metrics_json, options.save_json):
        if file:
            check_writable(file)
    if options.plots:
        check_writable(options.plots, folder=True)


def write_plots(evaluator: CocoEvaluator, folder: str | Path) -> tuple[Path, Path]:
    """Draw what `evaluator` has gathered into `folder`; the files written. Raises `UserError`.

    The confusion matrix counts detections from the confidence on at which F1 is highest.
    """
    truth = evaluator.truth
    matches = match_boxes(evaluator.images(), evaluator.coco, truth.category_ids)
    confidence = matches.over_confidence().best_confidence()
    matrix = confusion_matrix(
        evaluator.images(), evaluator.coco, truth.category_ids, confidence=confidence
    )
    curves = dict(zip(truth.names, matches.precision_over_recall(), strict=True))
    files = (Path(folder) / "precision-recall.png", Path(folder) / "confusion.png")
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        plot_precision_recall(curves, files[0])
        plot_confusion(matrix, truth.names, files[1], f"boxes of confidence {confidence:.2f}")
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror})") from None
    return files


def _parser() -> Arguments:
    parser = Arguments(prog="val.py", description="Box and mask AP of a network on a data set.")
    add = parser.add_argument
    add("--weights", required=True, help="run folder, .pt, .safetensors, .weights")
    add("--cfg", metavar="FILE", help="of Darknet's .weights, where it is not beside them")
    add("--data", default="shapes", help="data YAML or shipped name")
    add("--img", dest="image_size", type=whole_number(32),
        help="side of the square input in pixels (none: that of training, else 640)")  # fmt: skip
    add("--batch-size", type=whole_number(1), default=16, help="images over all processes")
    add("--device", default="auto", help="auto, cpu, cuda or a GPU number")
    add("--workers", type=whole_number(0), default=4, help="threads that load images")
    add("--precision", type=one_of(*PRECISIONS), default="auto", help=", ".join(PRECISIONS))
    add("--backend", type=one_of("hotcoco", "pycocotools"), default="hotcoco",
        help="hotcoco (fast) or pycocotools (the reference); figures agree")  # fmt: skip
    add("--confidence", type=fraction, default=0.001, help="least score kept")
    add("--iou", type=fraction, default=0.65, help="overlap above which NMS drops")
    add("--max-detections", type=whole_number(1), default=300, help="most per image")
    add("--split", type=one_of("train", "val", "test"), default="val", help="part of the data")
    add("--boxes-only", action="store_true", help="leave masks out")
    add("--save-json", nargs="?", const="predictions.json", metavar="FILE",
        help="write detections in the COCO results format (no FILE: predictions.json)")  # fmt: skip
    add("--metrics-json", metavar="FILE", help="write the figures")
    add("--plots", metavar="FOLDER", help="draw precision over recall and the confusion matrix")
    return parser
