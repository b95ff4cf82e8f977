"""The flags of `val.py`."""

from __future__ import annotations

from yolor_gp.config.precisions import PRECISIONS
from yolor_gp.flags.arguments import (
    Arguments,
    add_image_size,
    add_views,
    fraction,
    one_of,
    whole_number,
)


def _rule(text: str) -> str:
    return text if text == "f1" else str(fraction(text))


def parser() -> Arguments:
    """Every flag of the command."""
    flags = Arguments("val.py", description="Box and mask AP of a network on a data set.")
    add = flags.add_argument
    add("--weights", required=True, nargs="+", metavar="FILE",
        help="run folder, .pt, .safetensors, .weights; several work together")  # fmt: skip
    add("--cfg", metavar="FILE", help="of Darknet's .weights, where it is not beside them")
    add("--data", default="shapes", help="data YAML, shipped name or a tool's export")
    add_image_size(flags, "none: that of training, else 640")
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
    add_views(flags)
    add("--boxes-only", action="store_true", help="leave masks out")
    add("--save-json", nargs="?", const="predictions.json", metavar="FILE",
        help="write detections in the COCO results format (no FILE: predictions.json)")  # fmt: skip
    add("--metrics-json", metavar="FILE", help="write the figures")
    add("--save-txt", nargs="?", const="labels", metavar="FOLDER",
        help="write YOLO label files with scores (no FOLDER: labels)")  # fmt: skip
    add("--store-thresholds", nargs="?", const="f1", type=_rule, metavar="PRECISION",
        help="keep with the weights from which score on detect.py shows each class: that of its"
        " best F1, or where so many boxes are right (0.9)")  # fmt: skip
    add("--plots", metavar="FOLDER",
        help="draw curves, the confusion matrix and the images with most mistakes")  # fmt: skip
    return flags
