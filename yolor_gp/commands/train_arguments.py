"""The flags of `train.py`: those a YOLOv5 user knows, and a few more.

Only flags that were given are kept, so that a resumed run can tell what contradicts it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from yolor_gp.commands.arguments import Arguments, add_image_size, fraction, one_of, whole_number
from yolor_gp.detection.requests import request_of
from yolor_gp.engine.precision import PRECISIONS
from yolor_gp.engine.requests import TrainRequest


def parse_train_arguments(arguments: Sequence[str] | None) -> TrainRequest:
    """Raises:
    UserError: For anything that is not understood.
    """
    given = vars(_parser().parse(arguments))
    if "set" in given:
        given["set"] = [text for texts in given["set"] for text in texts]
    return request_of(given)


def _parser() -> Arguments:
    parser = Arguments(
        prog="train.py",
        description="Train a detector with box and mask heads.",
        argument_default=argparse.SUPPRESS,
        formatter_class=argparse.HelpFormatter,
    )
    add = parser.add_argument
    add("--cfg", metavar="MODEL", help="model file or shipped name (yolor-csp, ...)")
    add("--data", metavar="DATA", help="data YAML or shipped name (default: shapes)")
    add(
        "--hyp",
        metavar="RECIPE",
        help="recipe, shipped name, or auto, which fits the data (default: auto)",
    )
    add("--weights", metavar="FILE", help="weights to start from: .pt, .safetensors, run folder")
    add_image_size(parser, "multiples of the stride; default: 640")
    add("--batch-size", type=_batch_size, metavar="N",
        help="images per batch over all processes, or auto (default: 16)")  # fmt: skip
    add("--boxes-only", action="store_true",
        help="leave the model's mask branch out, as is done for data without masks")  # fmt: skip
    add("--classes", nargs="+", metavar="CLASS", help="names or numbers of classes to learn")
    add("--single-class", action="store_true", help="let all classes count as one")
    add("--fraction", type=fraction, metavar="SHARE", help="train on a share of the images")
    add("--anchors", type=one_of("auto", "keep"), metavar="WHICH",
        help="auto: fitted to the boxes; keep: the model's (default: what fits)")  # fmt: skip
    add("--freeze", nargs="+", metavar="LAYERS",
        help="what keeps its weights: a number, backbone, boxes, names or patterns")  # fmt: skip
    add("--epochs", type=whole_number(1), metavar="N", help="epochs (default: the recipe's)")
    add("--time", metavar="TIME", help="as many epochs as fit: 90s, 45m, 1.5h")
    add("--patience", type=whole_number(0), metavar="N",
        help="stop after N epochs without a better score (default: the recipe's)")  # fmt: skip
    add("--set", action="append", nargs="+", metavar="KEY=VALUE",
        help="change a key of the recipe, e.g. augment.mosaic=0.5")  # fmt: skip
    add("--device", metavar="NAME", help="auto, cpu, cuda or a GPU number (default: auto)")
    add("--workers", type=whole_number(0), metavar="N", help="loader processes (default: 4)")
    add("--cache", nargs="?", const="ram", type=one_of("none", "ram"), metavar="WHERE",
        help="keep images in memory: none or ram (default: none)")  # fmt: skip
    add("--precision", type=one_of(*PRECISIONS), metavar="TYPE",
        help=f"{', '.join(PRECISIONS)} (default: auto)")  # fmt: skip
    add("--compile", action="store_true", help="compile the network with torch.compile")
    add("--deterministic", action="store_true", help="prefer deterministic GPU kernels")
    add("--seed", type=whole_number(0), metavar="N", help="of every random number (default: 0)")
    add("--project", metavar="FOLDER", help="where run folders go (default: runs/train)")
    add("--name", metavar="NAME", help="of the run folder (default: exp)")
    add("--exist-ok", action="store_true", help="write into an existing run folder")
    add("--resume", nargs="?", const="", metavar="RUN",
        help="go on with a run folder or checkpoint; alone: the latest run")  # fmt: skip
    add("--save-every", type=whole_number(0), metavar="STEPS",
        help="write a checkpoint every STEPS optimizer steps, not only every epoch")  # fmt: skip
    add("--save-period", type=whole_number(0), metavar="EPOCHS",
        help="keep the weights of every so many epochs apart, as weights/epochN.pt")  # fmt: skip
    add("--skip-limit", type=whole_number(1), metavar="N",
        help="give up after N non-finite steps in a row (default: 10)")  # fmt: skip
    add("--log", nargs="+", metavar="LOGGER",
        help="csv (always written), tensorboard, wandb, mlflow (default: tensorboard)")  # fmt: skip
    add("--log-gradients", action="store_true",
        help="write gradients.json, for scripts/gradient_paths.py --gradients")  # fmt: skip
    add("--sync-bn", dest="sync_batchnorm", nargs="?", const="on",
        type=one_of("auto", "on", "off"), metavar="WHEN",
        help="batch statistics over all GPUs: auto, on, off (default: auto)")  # fmt: skip
    add("--timeout", type=_seconds, metavar="SECONDS",
        help="longest wait for another process in a collective (default: 600)")  # fmt: skip
    add("--heartbeat", type=_seconds, metavar="SECONDS",
        help="silence after which another process counts as lost (default: 120)")  # fmt: skip
    return parser


def _batch_size(text: str) -> int:
    return 0 if text == "auto" else whole_number(1)(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, found '{text}'")
    return seconds
