"""`report.py`: what a run has learned and where it fails, as one HTML page."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from yolor_gp.files import check_writable, write_text
from yolor_gp.flags.report import parser
from yolor_gp.run_report.evidence import Examination, gather
from yolor_gp.run_report.page import render

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate the runs named, and write the page."""
    options = parser().parse(arguments)
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
