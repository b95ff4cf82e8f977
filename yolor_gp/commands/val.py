"""`val.py`: box and mask AP of a network on a data set, by COCO's rules; also under torchrun."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from yolor_gp.commands.arguments import Arguments, fraction, one_of, whole_number
from yolor_gp.commands.val_plots import write_plots
from yolor_gp.config.data_config import load_data_config
from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.data.datasets import open_dataset
from yolor_gp.data.loading.loader import val_loader
from yolor_gp.detection.evaluate import evaluate, result_table
from yolor_gp.detection.weights import network_of, read_weights
from yolor_gp.engine.distributed.context import World, run_in_world, share_of
from yolor_gp.engine.precision import PRECISIONS, training_device
from yolor_gp.errors import UserError
from yolor_gp.evaluation.coco_evaluator import CocoEvaluator


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table of APs, write what was asked for; 0, or 70 when another process was lost."""
    options = _parser().parse(arguments)
    return run_in_world(
        lambda world: _validate(options, world),
        training_device(options.device).type,
        timeout=600,
        heartbeat=120,
    )


def _validate(options: argparse.Namespace, world: World) -> int:
    device = training_device(options.device, world.local_rank, world.size)
    weights = read_weights(options.weights)
    network = network_of(weights, options.weights, device=device)
    image_size = options.image_size or weights.image_size or 640
    if image_size % network.max_stride:
        raise UserError(f"--img {image_size}: must be a multiple of {network.max_stride}")
    dataset = open_dataset(load_data_config(options.data), "val", image_size=image_size)
    if len(dataset.names) != network.num_classes:
        raise UserError(
            f"{options.data}: {len(dataset.names)} classes, but {options.weights} was trained for"
            f" {network.num_classes}; use the data it was trained on"
        )
    if options.iou == 0:
        raise UserError("--iou 0: would drop every box that touches another; use 0.5 to 0.7")
    if world.is_main and dataset.names != network.names:
        print(f"warning: {options.data} calls its classes otherwise than {options.weights} does",
              file=sys.stderr)  # fmt: skip
    config = ValidationConfig(
        confidence=options.confidence, nms_iou=options.iou, max_detections=options.max_detections
    )
    loader = val_loader(
        dataset,
        image_size=image_size,
        batch_size=share_of(options.batch_size, world),
        workers=options.workers,
        rank=world.rank,
        world_size=world.size,
        pin_memory=device.type == "cuda",
    )
    evaluator = CocoEvaluator(
        dataset.ground_truth(), with_masks=network.has_masks, backend=options.backend
    )
    shown = tqdm(loader, "validating", disable=not (world.is_main and sys.stderr.isatty()))
    result = evaluate(
        network, shown, evaluator, config, device, precision=options.precision, world=world
    )
    if world.is_main:
        print(f"{options.weights} on {options.data}: {len(dataset)} images at {image_size} px")
        print(result_table(result))
        _write(options.metrics_json, result.to_json())
        _write(options.save_json, evaluator.results() if options.save_json else None)
        for picture in write_plots(evaluator, options.plots) if options.plots else ():
            print(f"wrote {picture}")
    return 0


def _write(file: str | None, content: object) -> None:
    if file is None:
        return
    path = Path(file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: cannot be written ({error.strerror})") from None
    print(f"wrote {file}")


def _parser() -> Arguments:
    parser = Arguments(prog="val.py", description="Box and mask AP of a network on a data set.")
    add = parser.add_argument
    add("--weights", required=True, help="a .pt, .safetensors or run folder")
    add("--data", default="shapes", help="data YAML or shipped name")
    add("--img", "--imgsz", "--img-size", dest="image_size", type=whole_number(32),
        help="side of the square input in pixels (none: that of training, else 640)")  # fmt: skip
    add("--batch-size", type=whole_number(1), default=16, help="images over all processes")
    add("--device", default="auto", help="auto, cpu, cuda or a GPU number")
    add("--workers", type=whole_number(0), default=4, help="threads that load images")
    add("--precision", type=one_of(*PRECISIONS), default="auto", help=", ".join(PRECISIONS))
    add("--backend", type=one_of("hotcoco", "pycocotools"), default="hotcoco",
        help="hotcoco (fast) or pycocotools (the reference); figures agree")  # fmt: skip
    add("--confidence", "--conf-thres", type=fraction, default=0.001, help="least score kept")
    add("--iou", "--iou-thres", type=fraction, default=0.65, help="overlap above which NMS drops")
    add("--max-detections", type=whole_number(1), default=300, help="most per image")
    add("--save-json", nargs="?", const="predictions.json", metavar="FILE",
        help="write detections in the COCO results format (no FILE: predictions.json)")  # fmt: skip
    add("--metrics-json", metavar="FILE", help="write the figures")
    add("--plots", metavar="FOLDER", help="draw precision over recall and the confusion matrix")
    return parser
