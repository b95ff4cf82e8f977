"""`report.py`: what a run has learned and where it fails, as one HTML page."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from yolor_gp.commands.arguments import Arguments, add_image_size, one_of, whole_number
from yolor_gp.engine.precision import PRECISIONS
from yolor_gp.files import check_writable, write_text
from yolor_gp.run_report.evidence import Examination, gather
from yolor_gp.run_report.page import render

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate the runs named, and write the page."""
    options = _parser().parse(arguments)
    check_writable(options.out)
    how = Examination(
        options.data, options.split, options.image_size, options.batch_size, options.workers,
        options.device, options.precision,
    )  # fmt: skip
    runs = []
    for source in options.runs:
        run = gather(source, how)
        _log.info("%s\n%s", source, run.found.result.table())
        runs.append(run)
    print(f"wrote {write_text(options.out, render(runs))}")
    return 0


def _parser() -> Arguments:
    parser = Arguments(
        "report.py",
        description="Evaluates the best weights of runs and writes one HTML page that fetches"
        " nothing: curves, classes, best and worst images, data, provenance; of several runs also"
        " what distinguishes them.",
    )
    add = parser.add_argument
    add("runs", nargs="+", metavar="RUN", help="run folders, or weights (with --data)")
    add("--out", default="report.html", metavar="FILE", help="to write")
    add("--data", help="data YAML or shipped name (none: that of training)")
    add("--split", type=one_of("train", "val", "test"), default="val", help="part of the data")
    add_image_size(parser, "none: that of training")
    add("--batch-size", type=whole_number(1), default=16, help="images at once")
    add("--workers", type=whole_number(0), default=4, help="threads that load images")
    add("--device", default="auto", help="auto, cpu, cuda or a GPU number")
    add("--precision", type=one_of(*PRECISIONS), default="auto", help=", ".join(PRECISIONS))
    return parser
