"""Reports kept between runs, so that a training does not examine the same data again."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from yolor_gp.data.doctor.report import Report
from yolor_gp.data.labels.table_cache import cache_folder
from yolor_gp.errors import UserError
from yolor_gp.files import write_json


def read_report(fingerprint: str) -> Report | None:
    """The report of what has this fingerprint, if it was kept and can be read."""
    try:
        report = Report.from_json(json.loads(_file(fingerprint).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return report if report.fingerprint == fingerprint else None


def write_report(report: Report) -> None:
    """Keep a report; no one ever reads half of it.

    A cache that cannot be written is no problem of the data and is left out.
    """
    file = _file(report.fingerprint)
    with suppress(UserError):
        write_json(file, report.to_json())


def _file(fingerprint: str) -> Path:
    return cache_folder().parent / "doctor" / f"{fingerprint}.json"
