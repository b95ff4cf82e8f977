"""Parsed labels kept on disk, keyed by what they were parsed from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from yolor_gp.data.labels.annotation_table import SCHEMA, AnnotationTable
from yolor_gp.data.labels.array_file import write_arrays
from yolor_gp.data.labels.file_lock import file_lock


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/yolor_gp/labels`, by default under `~/.cache`.

    Not beside the data: data sets are often read-only, or shared.
    """
    base = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(base) / "yolor_gp" / "labels"


def cached_table(
    source: str, content: str, parse: Callable[[], AnnotationTable]
) -> tuple[AnnotationTable, str]:
    """The table of `source` and its fingerprint; `parse` is called unless it is in the cache.

    source: names the data set (older versions of the same source are removed); content: a digest
    of everything that `parse` reads. The schema is added to it. Of several processes that ask at
    once, one parses and the others wait for its file.
    """
    fingerprint = hashlib.sha256(f"{SCHEMA}\n{source}\n{content}".encode()).hexdigest()[:32]
    folder = cache_folder()
    stem = hashlib.sha256(source.encode()).hexdigest()[:16]
    file = folder / f"{stem}-{fingerprint}.arrays"
    table = _read(file)
    if table is not None:
        return table, fingerprint
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file_lock(folder / f"{stem}.lock"):
            table = _read(file)
            if table is None:
                write_arrays(file, *parse().to_arrays())
                for old in set(folder.glob(f"{stem}-*.arrays")) - {file}:
                    old.unlink(missing_ok=True)
                table = _read(file)
    except OSError:  # a folder that can't be written: work without a cache
        table = None
    return (parse() if table is None else table), fingerprint


def _read(file: Path) -> AnnotationTable | None:
    try:
        return AnnotationTable.read(file)
    except (OSError, ValueError, KeyError):
        return None
