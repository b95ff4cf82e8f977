"""`scripts/benchmark.py`: ours against the installed peers, in turns, as a table."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import catalogue
from benchmarks.contest import DISAGREE, hold
from benchmarks.growth import command as growth
from benchmarks.growth.command import NAMES
from benchmarks.growth.curves import plot
from benchmarks.machine import describe
from benchmarks.report import to_json, to_markdown
from benchmarks.settings import Settings
from benchmarks.work import Row
from yolor_gp.config.suggest import did_you_mean
from yolor_gp.errors import UserError
from yolor_gp.flags.arguments import Arguments, whole_number


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print Markdown, write what was asked for; 1 if results differ that must agree."""
    options = _parser().parse(arguments)
    if options.list:
        print("\n".join(f"{work.name:<28} {work.title}" for work in catalogue.WORKS))
        print("\n".join(f"{name:<28} with --growth" for name in NAMES))
        return 0
    _check_names(options)
    with tempfile.TemporaryDirectory(prefix="yolor-gp-benchmark-") as scratch:
        measure = _growth if options.growth else _contests
        return measure(options, _settings(options, Path(scratch)))


def _contests(options: argparse.Namespace, settings: Settings) -> int:
    rows: list[Row] = []
    for work in catalogue.select(options.only, options.device):
        _say(work.name)
        rows += hold(work, settings, options.repeats, _say)
    facts = describe(options.device)
    _write(options, to_markdown(rows, facts), to_json(rows, facts))
    return 1 if any(DISAGREE in row.note for row in rows) else 0


def _growth(options: argparse.Namespace, settings: Settings) -> int:
    curves, ranks = growth.measure_growth(options.only, settings, _say)
    facts = describe(options.device)
    data = {"machine": facts, **growth.to_data(curves, ranks)}
    _write(options, growth.to_markdown(curves, ranks), json.dumps(data, indent=1))
    if options.plot is not None:
        plot(curves, options.plot)
    return 0


def _write(options: argparse.Namespace, markdown: str, data: str) -> None:
    print(markdown)
    for file, text in ((options.json, data), (options.markdown, markdown)):
        if file is not None:
            file.write_text(text, encoding="utf-8")


def _check_names(options: argparse.Namespace) -> None:
    names = NAMES if options.growth else [work.name for work in catalogue.WORKS]
    for word in options.only:
        if not any(name.startswith(word) for name in names):
            known = did_you_mean(word, names)
            raise UserError(f"--only {word}: nothing of that name{known}; see --list")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> Arguments:
    parser = Arguments("benchmark", description=__doc__)
    add = parser.add_argument
    add(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="works whose name begins so; repeatable",
    )
    add("--growth", action="store_true", help="measure how time and memory grow instead")
    add("--list", action="store_true", help="name the works and stop")
    add("--images", type=Path, help="folder of COCO images; the built-in shapes without")
    add("--annotations", type=Path, help="their COCO JSON")
    add("--weights", type=Path, help="trained network of the validation row; random without")
    add("--repeats", type=whole_number(1), help="runs of each work instead of its own number")
    add("--full", action="store_true", help="evaluate as many boxes as the published table")
    add("--device", default="cpu", help="cpu, cuda or cuda:N")
    add("--threads", type=whole_number(1), default=Settings.threads, help="of torch")
    add("--workers", type=whole_number(1), default=Settings.workers, help="of loaders, on cuda")
    add("--json", type=Path, metavar="FILE", help="write the rows")
    add("--markdown", type=Path, metavar="FILE", help="write the table")
    add("--plot", type=Path, metavar="FILE", help="with --growth: the curves as a picture")
    add("--profile", type=Path, metavar="DIR", help="write traces of one run of each contender")
    return parser


def _settings(options: argparse.Namespace, scratch: Path) -> Settings:
    images, annotations, weights = options.images, options.annotations, options.weights
    if (images is None) != (annotations is None):
        raise UserError("--images and --annotations: give both, or neither for the shapes")
    missing = [
        f"{path}: {flag} names no such {'folder' if flag == '--images' else 'file'}"
        for flag, path in (
            ("--images", images),
            ("--annotations", annotations),
            ("--weights", weights),
        )
        if path is not None and not path.exists()
    ]
    if missing:
        raise UserError(*missing)
    return Settings(
        scratch=scratch,
        images=None if images is None else images.resolve(),
        annotations=None if annotations is None else annotations.resolve(),
        weights=None if weights is None else weights.resolve(),
        device=options.device,
        full=options.full,
        profile=options.profile,
        threads=options.threads,
        workers=options.workers,
    )
