"""Reports kept between runs, so that a training does not examine the same data again."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from yolor_gp.data.doctor.report import Report
from yolor_gp.data.labels.table_cache import cache_folder


def read_report(fingerprint: str) -> Report | None:
    """The report of what has this fingerprint, if it was kept and can be read."""
    try:
        report = Report.from_json(json.loads(_file(fingerprint).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return report if report.fingerprint == fingerprint else None


def write_report(report: Report) -> None:
    """Keep a report: written beside and renamed, so that no one ever reads half of it.

    A cache that cannot be written is no problem of the data and is left out.
    """
    file = _file(report.fingerprint)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=".", suffix=".json")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as text:
                json.dump(report.to_json(), text)
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError:
        pass


def _file(fingerprint: str) -> Path:
    return cache_folder().parent / "doctor" / f"{fingerprint}.json"
