"""`classify.py train|val|predict`: classifiers on the same engine as detectors."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from yolor_gp.classification.requests import CLASSIFY_RUNS, request_of, train
from yolor_gp.classification.validate import validate
from yolor_gp.classifier import ClassResult, load_classifier
from yolor_gp.commands.arguments import Arguments, fraction, one_of, whole_number
from yolor_gp.commands.run_arguments import add_run_flags, batch_size, given_flags
from yolor_gp.config.suggest import did_you_mean
from yolor_gp.engine.distributed.context import joined_context
from yolor_gp.engine.precision import PRECISIONS, training_device
from yolor_gp.errors import UserError
from yolor_gp.files import check_writable, write_json
from yolor_gp.media.sources import open_source

USAGE = """\
usage: classify.py {train,val,predict} [--help] ...

  train    train a classifier on folders of images, CIFAR-10, MNIST or Imagenette
  val      top-1 and top-5 accuracy of a classifier on a data set
  predict  what is in images, videos, cameras and streams"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the first word names.

    Raises:
        UserError: For what the user can mend.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if words else 2
    if words[0] not in PROGRAMS:
        raise UserError(
            f"classify.py: unknown word '{words[0]}'{did_you_mean(words[0], PROGRAMS)}"
            f" (known: {', '.join(PROGRAMS)})"
        )
    return PROGRAMS[words[0]](words[1:])


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


def _train(words: Sequence[str]) -> int:
    return train(request_of(given_flags(train_parser().parse(words)))).exit_code


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


def _val(words: Sequence[str]) -> int:
    options = val_parser().parse(words)
    for file in (options.metrics_json, options.save_json):
        if file:
            check_writable(file)
    kind = training_device(options.device).type
    with joined_context(kind, timeout=600, heartbeat=120) as context:
        device = training_device(options.device, context.local_rank, context.size)
        model = load_classifier(options.weights, device=device, precision=options.precision)
        size = options.image_size or model.image_size
        found = validate(
            model.network,
            options.data,
            image_size=size,
            crop=_share(options.crop),
            batch_size=options.batch_size,
            workers=options.workers,
            precision=model.precision,
            device=model.device,
            source=model.source,
            split=options.split,
            context=context,
        )
        if context.is_main:
            print(f"{options.weights} on {options.data} at {size} px\n{found.table()}")
            if options.metrics_json:
                print(f"wrote {write_json(options.metrics_json, found.to_json())}")
            if options.save_json:
                print(f"wrote {write_json(options.save_json, found.predictions)}")
    return 0


def predict_parser() -> Arguments:
    """Every flag of `classify.py predict`."""
    parser = _shared_parser("predict", "What is in images, videos, cameras and streams.")
    add = parser.add_argument
    add("--source", required=True, help="image, folder, glob, list.txt, video, camera number, URL")
    add("--top", type=whole_number(1), default=5, help="classes that are told of each image")
    add("--save-json", metavar="FILE", help="also write them as JSON")
    add("--save-csv", metavar="FILE", help="also write a table, a row an image")
    return parser


def _predict(words: Sequence[str]) -> int:
    options = predict_parser().parse(words)
    open_source(options.source)  # what is wrong with it is told before the weights are read
    for file in (options.save_json, options.save_csv):
        if file:
            check_writable(file)
    model = load_classifier(options.weights, device=options.device, precision=options.precision)
    results = []
    for result in model.predict(
        options.source, img=options.image_size, crop=_share(options.crop), batch=options.batch_size
    ):
        print(f"{_where(result)}: {_words(result, options.top)}", flush=True)
        if options.save_json or options.save_csv:
            results.append(result)
    if options.save_json:
        rows = [result.to_dict(options.top) for result in results]
        print(f"wrote {write_json(options.save_json, rows)}")
    if options.save_csv:
        _write_csv(Path(options.save_csv), results)
        print(f"wrote {options.save_csv}")
    return 0


def _share(crop: float) -> float:
    if crop == 0:
        raise UserError("--crop 0: nothing of the images would be left; expected a share up to 1")
    return crop


def _where(result: ClassResult) -> str:
    return result.path if result.frame is None else f"{result.path} frame {result.frame}"


def _words(result: ClassResult, number: int) -> str:
    return ", ".join(f"{name} {score:.3f}" for name, score in result.top(number))


def _write_csv(file: Path, results: Sequence[ClassResult]) -> None:
    with file.open("w", newline="", encoding="utf-8") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["path", "frame", "name", "score"])
        for result in results:
            frame = "" if result.frame is None else result.frame
            writer.writerow([result.path, frame, result.name, f"{result.score:.6f}"])


PROGRAMS: dict[str, Callable[[Sequence[str]], int]] = {
    "train": _train, "val": _val, "predict": _predict,
}  # fmt: skip
"""By their word on the command line."""
