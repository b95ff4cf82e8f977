"""`detect.py`: find objects in images, videos, cameras and streams; draw and list them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from yolor_gp.commands.arguments import Arguments, fraction, one_of, whole_number
from yolor_gp.commands.detect_loop import DetectionLoop, chosen_classes
from yolor_gp.commands.run_folder import new_run_folder
from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.detection.predict import Predictor
from yolor_gp.detection.weights import load_network, read_weights
from yolor_gp.engine.precision import PRECISIONS, training_device
from yolor_gp.errors import UserError
from yolor_gp.media.sources import Live, Source, open_source
from yolor_gp.models.fuse import fuse


def parser() -> Arguments:
    """Every flag of the command."""
    flags = Arguments(prog="detect.py", description=__doc__)
    add = flags.add_argument
    add("--weights", required=True, help="checkpoint of a training, or official weights")
    add("--source", required=True, help="image, folder, glob, list.txt, video, camera number, URL")
    add("--img", "--imgsz", "--img-size", dest="image_size", type=whole_number(32),
        help="side of the input in pixels (none: that of training, else 640)")  # fmt: skip
    add("--rectangular", action="store_true",
        help="pad to the next multiple of the stride instead of a square: faster, and not quite"
        " what validation sees")  # fmt: skip
    add("--confidence", "--conf-thres", type=fraction, default=0.25, help="least score kept")
    add("--iou", "--iou-thres", type=fraction, default=0.45, help="overlap above which NMS drops")
    add("--max-detections", type=whole_number(1), default=300, help="most detections an image")
    add("--classes", nargs="+", metavar="CLASS", help="names or numbers of classes to keep")
    add("--class-agnostic", action="store_true", help="boxes suppress those of other classes too")
    add("--batch-size", type=whole_number(1), help="images at once; by default as many as pay")
    add("--device", default="auto", help="auto, cpu, cuda or a GPU's number")
    add("--precision", type=one_of(*PRECISIONS), default="auto",
        help="number format; auto: half precision where the device computes it")  # fmt: skip
    add("--project", default="runs/detect", help="folder of all runs")
    add("--name", default="exp", help="folder of this run inside it; a taken name is numbered")
    add("--save-json", metavar="FILE", help="also write all detections as one COCO JSON")
    add("--save-txt", action="store_true", help="also write YOLO label files into labels/")
    add("--save-confidence", action="store_true", help="with the score at the end of each line")
    add("--no-images", action="store_true", help="write no annotated images or videos")
    return flags


def main(arguments: Sequence[str] | None = None) -> int:
    """Detect. Raises `UserError` for what the user can mend."""
    options = parser().parse(arguments)
    if options.iou == 0:
        raise UserError("--iou 0: would drop every box that touches another; use 0.4 to 0.7")
    config = ValidationConfig(
        confidence=options.confidence,
        nms_iou=options.iou,
        multi_label=False,
        max_detections=options.max_detections,
    )
    source = open_source(options.source)
    device = training_device(options.device, local_rank=0)
    image_size = options.image_size or read_weights(options.weights).image_size or 640
    network = fuse(load_network(options.weights, device=device))
    if image_size % network.max_stride:
        raise UserError(f"--img {image_size}: must be a multiple of {network.max_stride}")
    predictor = Predictor(
        network,
        image_size,
        config,
        device,
        stride=network.max_stride if options.rectangular else None,
        precision=options.precision,
        class_agnostic=options.class_agnostic,
        classes=chosen_classes(options.classes, network.names),
    )
    loop = DetectionLoop(
        predictor,
        network.names,
        new_run_folder(options.project, options.name),
        batch_size=options.batch_size or _batch_size(device, source),
        images=not options.no_images,
        json_file=Path(options.save_json) if options.save_json else None,
        txt=options.save_txt or options.save_confidence,
        txt_scores=options.save_confidence,
    )
    loop.run(source)
    return 0


def _batch_size(device: torch.device, source: Source) -> int:
    """More than one only where it pays: on a GPU, and where no frame has to wait for the next."""
    return 1 if device.type == "cpu" or isinstance(source, Live) else 8
