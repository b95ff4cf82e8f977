"""Flags that the training of every task takes: how it is run, and where it goes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from yolor_gp.config.precisions import PRECISIONS
from yolor_gp.flags.arguments import Arguments, one_of, whole_number


def given_flags(options: argparse.Namespace) -> dict[str, Any]:
    """Those that were given, by name."""
    given = vars(options)
    if "set" in given:
        given["set"] = [text for texts in given["set"] for text in texts]
    return given


def add_run_flags(parser: Arguments, runs: Path) -> None:
    """runs: where run folders go unless the flags say."""
    add = parser.add_argument
    add("--epochs", type=whole_number(1), metavar="N", help="epochs (default: the recipe's)")
    add("--time", metavar="TIME", help="as many epochs as fit: 90s, 45m, 1.5h")
    add("--patience", type=whole_number(0), metavar="N",
        help="stop after N epochs without a better score (default: the recipe's)")  # fmt: skip
    add("--set", action="append", nargs="+", metavar="KEY=VALUE",
        help="change a key of the recipe, e.g. augment.mosaic=0.5")  # fmt: skip
    add("--freeze", nargs="+", metavar="LAYERS",
        help="what keeps its weights: a number, backbone, boxes, names or patterns")  # fmt: skip
    add("--device", metavar="NAME", help="auto, cpu, cuda or a GPU number (default: auto)")
    add("--workers", type=whole_number(0), metavar="N", help="loader processes (default: 4)")
    add("--precision", type=one_of(*PRECISIONS), metavar="TYPE",
        help=f"{', '.join(PRECISIONS)} (default: auto)")  # fmt: skip
    add("--compile", action="store_true", help="compile the network with torch.compile")
    add("--deterministic", action="store_true", help="prefer deterministic GPU kernels")
    add("--seed", type=whole_number(0), metavar="N", help="of every random number (default: 0)")
    add("--project", metavar="FOLDER", help=f"where run folders go (default: {runs})")
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


def batch_size(text: str) -> int:
    """An argparse `type`: a number of images, or auto."""
    return 0 if text == "auto" else whole_number(1)(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, found '{text}'")
    return seconds
