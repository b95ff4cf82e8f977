"""The doctor's visit: on request, and before a training, so that no GPU time goes on wrong data."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from typing import Protocol

from tqdm import tqdm

from yolor_gp.data.doctor import Report
from yolor_gp.data.doctor.all_images import Progress

_log = logging.getLogger(__name__)


class Examine(Protocol):
    """Makes a report, saying how far it is."""

    def __call__(self, *, progress: Progress | None) -> Report: ...  # noqa: D102


def check_data(examine: Examine) -> None:
    """Print a line per kind of warning; raise `UserError` with the errors.

    For one process of a training only: the report is kept and read again while nothing changes.
    """
    with tqdm(
        desc="examining the data", unit=" images", disable=not _is_watched(), leave=False
    ) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        report = examine(progress=progress)
    counts = Counter(finding.kind for finding in report.warnings)
    for kind, count in counts.most_common():
        first = next(finding for finding in report.warnings if finding.kind == kind)
        _log.warning("warning: %s (%d), first: %s", kind, count, first)
    report.raise_errors()


def _is_watched() -> bool:
    return sys.stderr.isatty() and _log.isEnabledFor(logging.INFO)
