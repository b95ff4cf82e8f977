"""The flags of `train.py`: those a YOLOv5 user knows, and a few more."""

from __future__ import annotations

import argparse

from yolor_gp.engine.requests import TRAIN_RUNS
from yolor_gp.flags.arguments import Arguments, add_image_size, fraction, one_of
from yolor_gp.flags.run_flags import add_run_flags, batch_size


def parser() -> Arguments:
    """Every flag of the command."""
    flags = Arguments(
        "train.py",
        description="Train a detector with box and mask heads.",
        argument_default=argparse.SUPPRESS,
        formatter_class=argparse.HelpFormatter,
    )
    add = flags.add_argument
    add("--cfg", metavar="MODEL", help="model file or shipped name (yolor-csp, ...)")
    add(
        "--data",
        metavar="DATA",
        help="data YAML, shipped name or a tool's export (default: shapes)",
    )
    add(
        "--hyp",
        metavar="RECIPE",
        help="recipe, shipped name, or auto, which fits the data (default: auto)",
    )
    add("--weights", metavar="FILE", help="weights to start from: .pt, .safetensors, run folder")
    add_image_size(flags, "multiples of the stride; default: 640")
    add("--batch-size", type=batch_size, metavar="N",
        help="images per batch over all processes, or auto (default: 16; with --hyp auto 8 where"
        " updates would be few)")  # fmt: skip
    add("--boxes-only", action="store_true",
        help="leave the model's mask branch out, as is done for data without masks")  # fmt: skip
    add("--classes", nargs="+", metavar="CLASS", help="names or numbers of classes to learn")
    add("--single-class", action="store_true", help="let all classes count as one")
    add("--fraction", type=fraction, metavar="SHARE", help="train on a share of the images")
    add("--anchors", type=one_of("auto", "keep"), metavar="WHICH",
        help="auto: fitted to the boxes; keep: the model's (default: what fits)")  # fmt: skip
    add("--cache", nargs="?", const="ram", type=one_of("none", "ram"), metavar="WHERE",
        help="keep images in memory: none or ram (default: none)")  # fmt: skip
    add_run_flags(flags, TRAIN_RUNS)
    return flags
