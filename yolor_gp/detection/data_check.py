"""The doctor's visit before a training, so that no GPU time is spent on data that is wrong."""

from __future__ import annotations

import logging
import sys
from collections import Counter

from tqdm import tqdm

from yolor_gp.config.data_config import DataConfig
from yolor_gp.data.doctor import examine

_log = logging.getLogger(__name__)


def check_data(config: DataConfig) -> None:
    """Print a line per kind of warning; raise `UserError` with the errors.

    For one process of a training only: the report is kept and read again while nothing changes.
    """
    with tqdm(
        desc="examining the data", unit=" images", disable=not _is_watched(), leave=False
    ) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        report = examine(config, progress=progress)
    counts = Counter(finding.kind for finding in report.warnings)
    for kind, count in counts.most_common():
        first = next(finding for finding in report.warnings if finding.kind == kind)
        _log.warning("warning: %s (%d), first: %s", kind, count, first)
    report.raise_errors()


def _is_watched() -> bool:
    return sys.stderr.isatty() and _log.isEnabledFor(logging.INFO)
