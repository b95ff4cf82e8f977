"""The doctor's visit: on request, and before a training, so that no GPU time goes on wrong data."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from pathlib import Path

from tqdm import tqdm

from yolor_gp.config.data_config import DataConfig, load_data_config
from yolor_gp.data.doctor import Report, examine

_log = logging.getLogger(__name__)


def check_dataset(data: str | Path) -> Report:
    """Everything that is wrong with a data set, with place and remedy.

    Args:
        data: A data YAML, or the name of a shipped one.

    Returns:
        The findings, and the counts of each split; `report.raise_errors()` raises what would stop
        a training, `report.lines()` is text for people.

    Raises:
        UserError: When the data YAML itself is wrong.
    """
    return examine(load_data_config(data))


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
