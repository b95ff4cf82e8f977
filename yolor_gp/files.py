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

from yolor_gp.errors import UserError


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that appears at `path` when the block ends, and not at all if it fails.

    It is written beside `path` under a name of its own (several processes may write at once),
    synced and renamed, and the folder is synced: under `path` there is always a whole file, also
    after a power failure. A file that was there keeps its content until then.

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
        raise _cannot_write(target, error) from None
    return target


def write_json(path: str | Path, content: Any, indent: int | None = None) -> Path:
    """Write plain values as JSON, as `write_text` does. Raises `UserError`."""
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
        raise _cannot_write(target, error) from None


def _cannot_write(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: cannot be written ({error.strerror}); choose another place")


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not every file system can
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
