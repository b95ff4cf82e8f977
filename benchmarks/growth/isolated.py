"""A measurement in a fresh process, so that its memory is its own."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeAlias

from yolor_gp.process.allocator import keep_freed_memory

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
    keep_freed_memory()  # as this project's programs do at their start
    before = _peak()  # what the imports took
    point = dict(function(*arguments))
    connection.send(point | {"memory": _peak() - before})


def family_memory() -> float:
    """MiB of this process and all it has started, what they share counted once (Linux)."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            after_name = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(after_name[1])
    family, grown = set[int](), {os.getpid()}
    while family != grown:
        family = grown
        grown = family | {process for process, parent in parents.items() if parent in family}
    return sum(map(_own_share, family))


def _own_share(process: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 2**10
    return 0.0


def _peak() -> float:
    """MiB; Linux counts in KiB, macOS in bytes."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
