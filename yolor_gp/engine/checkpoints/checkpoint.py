"""Checkpoint files that survive a kill, a full disk and damage.

A file is written beside its final name, synced, renamed, and its folder synced: under its name
there is always a whole file. The one before stays as `NAME.previous.pt`.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch

from yolor_gp.errors import UserError
from yolor_gp.files import whole_file

FORMAT = "yolor_gp checkpoint"
VERSION = 1

State = dict[str, Any]


class DamagedCheckpointError(Exception):
    """A file that is not a whole checkpoint; the message says why."""


def save_checkpoint(state: Mapping[str, Any], path: Path, *, keep_previous: bool = False) -> None:
    """Write `state` (tensors and plain values) to `path`, all of it or nothing.

    Raises:
        UserError: When it cannot be written; the files that were there are untouched.
    """
    content = {"format": FORMAT, "version": VERSION, **state}
    try:
        for left in path.parent.glob(f".{path.name}.*.partial"):  # by a kill; they are large
            left.unlink(missing_ok=True)
        with whole_file(path) as file:
            _write(content, file)
            if keep_previous and path.exists():
                _keep(path, previous_of(path))
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"{path}: cannot be written ({_reason(error)}); the checkpoints written before are"
            " intact: free some space, then continue with --resume"
        ) from error


def read_checkpoint(path: Path) -> State:
    """Read a checkpoint onto the CPU.

    Nothing in the file is executed: only tensors and plain values are accepted.

    Raises:
        UserError: When there is none.
        DamagedCheckpointError: When it is not whole, or not of this project and version.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint")
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()  # torch itself does not look at the check sums
        if broken is not None:
            raise DamagedCheckpointError(f"{path}: check sum of {broken} is wrong")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except DamagedCheckpointError:
        raise
    except Exception as error:  # torch and zipfile meet damage with almost any exception
        raise DamagedCheckpointError(f"{path}: {_reason(error)}") from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise DamagedCheckpointError(f"{path}: not a checkpoint of this project")
    if state.get("version") != VERSION:
        found = f"format {state.get('version')}, expected {VERSION}"
        raise DamagedCheckpointError(f"{path}: written by another version ({found})")
    return state


def read_newest_whole(path: Path) -> tuple[State, Path, list[str]]:
    """The checkpoint at `path`, or the one before it where that is damaged or missing.

    Returns the state, the file it came from, and what was wrong with the others.

    Raises:
        UserError: When there is no whole one.
    """
    problems: list[str] = []
    for candidate in (path, previous_of(path)):
        try:
            return read_checkpoint(candidate), candidate, problems
        except (DamagedCheckpointError, UserError) as error:
            problems.append(str(error))
    raise UserError(*problems, f"{path}: nothing to resume from")


def previous_of(path: Path) -> Path:
    """`last.pt` -> `last.previous.pt`."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def _write(content: State, file: IO[bytes]) -> None:
    torch.save(content, file)


def _keep(path: Path, previous: Path) -> None:
    """Let `previous` name the file at `path` too, which never ceases to exist."""
    link = previous.with_name(previous.name + ".partial")
    link.unlink(missing_ok=True)
    try:
        os.link(path, link)
    except OSError:  # a file system without hard links
        path.replace(previous)
        return
    link.replace(previous)


def _reason(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
