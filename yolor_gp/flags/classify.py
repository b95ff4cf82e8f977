"""The flags of `classify.py`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence

from yolor_gp.config.precisions import PRECISIONS
from yolor_gp.config.suggest import did_you_mean
from yolor_gp.engine.requests import CLASSIFY_RUNS
from yolor_gp.errors import UserError
from yolor_gp.flags.arguments import Arguments, fraction, one_of, whole_number
from yolor_gp.flags.names import as_called
from yolor_gp.flags.run_flags import add_run_flags, batch_size

_USAGE = """\
usage: classify.py {train,val,predict} [--help] ...

  train    train a classifier on folders of images, CIFAR-10, MNIST or Imagenette
  val      top-1 and top-5 accuracy of a classifier on a data set
  predict  what is in images, videos, cameras and streams"""


def train_parser() -> Arguments:
    """Every flag of `classify.py train`."""
    parser = Arguments(
        "classify.py train",
        description="Train a classifier.",
        argument_default=argparse.SUPPRESS,
        formatter_class=argparse.HelpFormatter,
    )
    add = parser.add_argument
    add("--cfg", metavar="MODEL", help="model file or shipped name (resnet34, vgg16, ...)")
    add("--data", metavar="FOLDER", help="train/CLASS/*.jpg and val/CLASS/*.jpg, or what"
        " torchvision leaves of CIFAR-10, MNIST, Imagenette")  # fmt: skip
    add("--hyp", metavar="RECIPE", help="recipe or shipped name (default: classify)")
    add("--weights", metavar="FILE", help="weights to start from: .pt, .safetensors, run folder")
    add("--img", dest="image_size", type=whole_number(8), metavar="N",
        help="side of the square input (default: that of the images, at most 224)")  # fmt: skip
    add("--batch-size", type=batch_size, metavar="N",
        help="images per batch over all processes, or auto (default: 128)")  # fmt: skip
    add_run_flags(parser, CLASSIFY_RUNS)
    return parser


def _shared_parser(program: str, description: str) -> Arguments:
    parser = Arguments(f"classify.py {program}", description=description)
    add = parser.add_argument
    add("--weights", required=True, help="run folder, .pt, .safetensors")
    add("--img", dest="image_size", type=whole_number(8),
        help="side of the square input in pixels (none: that of training)")  # fmt: skip
    add("--crop", type=fraction, default=1.0,
        help="side of the middle that is looked at, as a share of the shorter side")  # fmt: skip
    add("--batch-size", type=whole_number(1), default=64, help="images over all processes")
    add("--device", default="auto", help="auto, cpu, cuda or a GPU number")
    add("--precision", type=one_of(*PRECISIONS), default="auto", help=", ".join(PRECISIONS))
    return parser


def val_parser() -> Arguments:
    """Every flag of `classify.py val`."""
    parser = _shared_parser("val", "Top-1 and top-5 accuracy of a classifier on a data set.")
    add = parser.add_argument
    add("--data", required=True, help="folder of the data set")
    add("--split", type=one_of("train", "val"), default="val", help="part of the data")
    add("--workers", type=whole_number(0), default=4, help="threads that load images")
    add("--metrics-json", metavar="FILE", help="write all figures, with the confusion matrix")
    add("--save-json", metavar="FILE", help="write what each image was taken for")
    return parser


def predict_parser() -> Arguments:
    """Every flag of `classify.py predict`."""
    parser = _shared_parser("predict", "What is in images, videos, cameras and streams.")
    add = parser.add_argument
    add("--source", required=True, help="image, folder, glob, list.txt, video, camera number, URL")
    add("--top", type=whole_number(1), default=5, help="classes that are told of each image")
    add("--save-json", metavar="FILE", help="also write them as JSON")
    add("--save-csv", metavar="FILE", help="also write a table, a row an image")
    return parser


PARSERS: Mapping[str, Callable[[], Arguments]] = {
    "train": train_parser, "val": val_parser, "predict": predict_parser,
}  # fmt: skip
"""By their word on the command line."""


class Programs:
    """Several programs in one, told apart by the first word."""

    def parse(self, arguments: Sequence[str] | None = None) -> tuple[str, argparse.Namespace]:
        """The word, and what its own parser makes of the others (None: the process's own).

        Raises:
            UserError: When the word is none of them, or its parser says so.
            SystemExit: After showing help.
        """
        words = list(sys.argv[1:] if arguments is None else arguments)
        if not words or words[0] in ("-h", "--help"):
            sys.stdout.write(as_called(f"{_USAGE}\n"))
            raise SystemExit(0 if words else 2)
        if words[0] not in PARSERS:
            raise UserError(
                f"classify.py: unknown word '{words[0]}'{did_you_mean(words[0], PARSERS)}"
                f" (known: {', '.join(PARSERS)})"
            )
        return words[0], PARSERS[words[0]]().parse(words[1:])


def parser() -> Programs:
    """Every flag of each."""
    return Programs()
