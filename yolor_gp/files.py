"""Files that are written whole or not at all, and places that are tried before work begins."""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

from yolor_gp.errors import UserError


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that appears at `path` when the block ends, and not at all if it fails.

    It is written beside `path` under a name of its own (several processes may write at once),
    synced and renamed, and the folder is synced: under `path` there is always a whole file, also
    after a power failure. A file that was there keeps its content until then.

    Yields:
        The file, open for writing.

    Raises:
        OSError: When it cannot be written; what was at `path` is untouched.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.partial")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_text(path: str | Path, text: str) -> Path:
    """Write `text` (UTF-8) to `path`, whose folder is made if need be, all of it or nothing.

    Raises:
        UserError: When it cannot be written.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(target) as file:
            file.write(text.encode())
    except OSError as error:
        raise UserError(_cannot_write(target, error)) from None
    return target


def write_json(path: str | Path, content: Any, indent: int | None = None) -> Path:
    """Write plain values as JSON, as `write_text` does.

    Raises:
        UserError: When it cannot be written.
    """
    return write_text(path, json.dumps(content, indent=indent) + "\n")


def check_writable(path: str | Path, *, folder: bool = False) -> None:
    """Try a place before hours of work depend on it: a file to write, or a folder for files.

    Folders are made as they will be needed; nothing else is left behind.

    Raises:
        UserError: When nothing can be written there.
    """
    target = Path(path)
    try:
        if target.is_dir() and not folder:
            raise UserError(f"{target}: is a folder; name a file")
        where = target if folder else target.parent
        where.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=where):
            pass
    except OSError as error:
        raise UserError(_cannot_write(target, error)) from None


def did_you_mean_path(path: str | Path) -> str:
    """A hint "; did you mean 'X'?" on a path that is not there, or nothing.

    Known slips: backslashes, %20, a folder written twice, upper and lower case, another suffix.
    """
    text = str(path)
    plain = Path(unquote(text.replace("\\", "/")))
    parts = plain.parts
    undoubled = (
        Path(*parts[:k], *parts[k + 1 :]) for k in range(1, len(parts)) if parts[k] == parts[k - 1]
    )
    for candidate in (plain, *undoubled):
        found = _whatever_the_case(candidate)
        if found is not None and str(found) != text:
            return f"; did you mean '{found}'?"
    return ""


def _whatever_the_case(path: Path) -> Path | None:
    """`path` as it is written on disk, if only its case, or that and its suffix, differ."""
    found = Path(path.anchor) if path.anchor else Path()
    for part in path.parts[1 if path.anchor else 0 :]:
        if (found / part).exists():
            found = found / part
            continue
        alike = [other for other in _entries(found) if other.name.lower() == part.lower()]
        if not alike and part == path.name and path.suffix:
            alike = [other for other in _entries(found) if other.stem == Path(part).stem]
        if len(alike) != 1:
            return None
        found = alike[0]
    return found


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _cannot_write(path: Path, error: OSError) -> str:
    return f"{path}: cannot be written ({error.strerror}); choose another place"


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not every file system can
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
