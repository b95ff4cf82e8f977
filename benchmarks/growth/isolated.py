"""A measurement in a fresh process, so that its memory is its own."""

from __future__ import annotations

import multiprocessing
import resource
import sys
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

Point: TypeAlias = dict[str, float]
"""Named figures; "memory" (MiB) is added."""


def isolated(function: Callable[..., Mapping[str, float]], *arguments: Any) -> Point:
    """`function(*arguments)` in a new process, with the MiB by which its peak memory grew.

    Raises `RuntimeError` when the process fails; its traceback is on stderr.
    """
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=_call, args=(theirs, function, arguments))
    process.start()
    theirs.close()
    try:
        point: Point = mine.recv()
    except EOFError:
        raise RuntimeError(f"{function.__name__}{arguments}: the process ended") from None
    finally:
        process.join()
    return point


def _call(
    connection: Connection,
    function: Callable[..., Mapping[str, float]],
    arguments: tuple[Any, ...],
) -> None:
    before = _peak()  # what the imports took
    point = dict(function(*arguments))
    connection.send(point | {"memory": _peak() - before})


def _peak() -> float:
    """MiB; Linux counts in KiB, macOS in bytes."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
