"""Who works on what, by files in a shared folder: no server, no lock that a crash leaves behind.

A claim is a file that only one can create (`O_EXCL`, atomic on local disks and on NFS since
version 3). While its owner lives, a thread touches it; a claim that nobody has touched for long is
stale and may be taken over. Ages are measured by the clock of the shared disk, not by that of the
machine: both times are those of files in the same folder.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CLAIM = "claim.json"


class Claim:
    """The right to work in a folder, kept alive until it is released; a context manager."""

    def __init__(self, folder: Path, owner: str, beat: float) -> None:
        self._file, self._owner, self._beat = folder / CLAIM, owner, beat
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="claim", daemon=True)

    @property
    def is_ours(self) -> bool:
        """Whether nobody has taken it over, as they may after a long silence."""
        return _read(self._file).get("owner") == self._owner

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        if self.is_ours:
            self._file.unlink(missing_ok=True)

    def _keep(self) -> None:
        while not self._ended.wait(self._beat):
            with suppress(OSError):
                if self.is_ours:
                    os.utime(self._file)


def claim(folder: Path, *, stale: float) -> Claim | None:
    """Claim `folder`; None where another lives in it.

    stale: seconds of silence after which an owner counts as dead. It beats six times as often.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file, owner = folder / CLAIM, uuid.uuid4().hex
    text = json.dumps({"owner": owner, "host": socket.gethostname(), "process": os.getpid()})
    if _create(file, text):
        return Claim(folder, owner, stale / 6)
    held = _read(file)
    age = silence(folder)
    if age is None or age < stale:
        return None
    # Of several that see the same dead owner, one may make the file that bears its name.
    succession = folder / f".succeeds-{held.get('owner', 'unreadable')}"
    if not _create(succession, text):
        if (_age(succession) or 0) >= stale:  # whoever made it died in the next lines
            succession.unlink(missing_ok=True)
        return None
    try:
        still_dead = _read(file) == held and (silence(folder) or 0) >= stale
        if not still_dead:
            return None
        fresh = folder / f".claim-{owner}"
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(file)
        return Claim(folder, owner, stale / 6)
    finally:
        succession.unlink(missing_ok=True)


def silence(folder: Path) -> float | None:
    """Seconds since the owner of `folder` was last heard of; None where nobody has claimed it."""
    return _age(folder / CLAIM)


def _age(file: Path) -> float | None:
    """Seconds since `file` was touched, by the clock of its disk; None where it is not."""
    probe = file.with_name(f".now-{uuid.uuid4().hex}")
    try:
        touched = file.stat().st_mtime
        probe.touch(exist_ok=False)
        return probe.stat().st_mtime - touched
    except OSError:
        return None
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def _create(file: Path, text: str) -> bool:
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
    return True


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # gone, or just being written
        return {}
    return content if isinstance(content, dict) else {}
