"""`classify.py train|val|predict`: classifiers on the same engine as detectors."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Sequence
from pathlib import Path

from yolor_gp.classification.requests import request_of, train
from yolor_gp.classification.validate import validate
from yolor_gp.classifier import ClassResult, load_classifier
from yolor_gp.engine.distributed.context import joined_context
from yolor_gp.engine.precision import training_device
from yolor_gp.errors import UserError
from yolor_gp.files import check_writable, write_json
from yolor_gp.flags.classify import parser
from yolor_gp.flags.run_flags import given_flags
from yolor_gp.media.sources import open_source


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the first word names.

    Raises:
        UserError: For what the user can mend.
    """
    word, options = parser().parse(arguments)
    return _PROGRAMS[word](options)


def _train(options: argparse.Namespace) -> int:
    return train(request_of(given_flags(options))).exit_code


def _val(options: argparse.Namespace) -> int:
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


def _predict(options: argparse.Namespace) -> int:
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


_PROGRAMS: dict[str, Callable[[argparse.Namespace], int]] = {
    "train": _train, "val": _val, "predict": _predict,
}  # fmt: skip
"""By their word on the command line."""
