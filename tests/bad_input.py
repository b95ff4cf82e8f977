"""An input that is wrong, the command that is given it, and words of the answer it must give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BadInput:
    """group and what: for people; command and words: what is run in a folder that `prepare` has
    filled; answer: words that the message must have.
    """

    group: str
    what: str
    command: str
    words: tuple[str, ...]
    answer: tuple[str, ...]
    prepare: Callable[[Path], object]


def nothing(root: Path) -> None:
    """An empty folder will do."""


def file_of(name: str, content: str | bytes) -> Callable[[Path], None]:
    def prepare(root: Path) -> None:
        data = content if isinstance(content, bytes) else content.encode()
        (root / name).write_bytes(data)

    return prepare
