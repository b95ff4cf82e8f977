"""Finds the run to go on with, and what it had saved."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

from pydantic import ValidationError

from yolor_gp.config.run_settings import SettingsOfRun
from yolor_gp.engine.checkpoints.checkpoint import State, previous_of, read_newest_whole
from yolor_gp.engine.checkpoints.checkpointer import LAST, TRAINING
from yolor_gp.errors import UserError

PROVENANCE_FILE = "provenance.json"


@dataclass(frozen=True)
class Resumed(Generic[SettingsOfRun]):
    """A run that goes on. warnings: lines on damaged checkpoints that were passed over."""

    folder: Path
    checkpoint: Path
    state: State
    config: SettingsOfRun
    warnings: tuple[str, ...]


def open_resumed(where: str, project: Path, kind: type[SettingsOfRun]) -> Resumed[SettingsOfRun]:
    """Read the run at `where`: a run folder, a checkpoint, or "" for the latest in `project`.

    kind: the settings of the task's runs.

    Raises:
        UserError: When there is none, or when it is finished.
    """
    path = Path(where) if where else latest_run(project)
    file = path / "weights" / LAST if path.is_dir() else path
    state, checkpoint, problems = read_newest_whole(file)
    if state.get("kind") != TRAINING:
        raise UserError(
            f"{checkpoint}: holds weights only; resume from {LAST}, or use --weights to start anew"
        )
    progress = state["progress"]
    if progress["finished"]:
        raise UserError(
            f"{checkpoint}: this run is finished ({progress['epoch']} epochs); to train on, start a"
            f" new run with --weights {checkpoint}"
        )
    config = config_of(state, checkpoint, kind)
    warnings = tuple(f"{problem}; going on from {checkpoint}" for problem in problems)
    return Resumed(file.parent.parent, checkpoint, state, config, warnings)


def config_of(state: State, checkpoint: Path, kind: type[SettingsOfRun]) -> SettingsOfRun:
    """The configuration kept in a checkpoint.

    Raises:
        UserError: When there is none, or when it is another task's.
    """
    values: dict[str, Any] = state["config"]
    if not values:
        raise UserError(f"{checkpoint}: holds no configuration; it cannot be resumed")
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        key = ".".join(map(str, error.errors()[0]["loc"]))
        raise UserError(
            f"{checkpoint}: is of another program, or of another version of this one"
            f" (its configuration has another '{key}'); resume it with the program that began it"
        ) from None


def latest_run(project: Path) -> Path:
    """The run in `project` whose checkpoint is newest.

    Raises:
        UserError: When there is none.
    """
    checkpoints = [
        file
        for pattern in (f"*/weights/{LAST}", "*/weights/last.previous.pt")
        for file in project.glob(pattern)
    ]
    if not checkpoints:
        raise UserError(f"{project}: no run with a checkpoint to resume; name one with --resume")
    return max(checkpoints, key=lambda file: file.stat().st_mtime).parent.parent


def find_restarted(project: Path, launch: dict[str, str], restarts: int) -> Path | None:
    """The run that torchrun is starting again after a failure, if it got as far as a folder.

    launch: `launch_identity()`, which every start writes into its provenance; restarts: as this
    machine's torchrun counts them, which after another machine's failure may be 0.
    """
    newest = sorted(
        project.glob(f"*/{PROVENANCE_FILE}"), key=lambda file: file.stat().st_mtime, reverse=True
    )
    return next((file.parent for file in newest if _same_launch(file, launch, restarts)), None)


def launch_identity(run_id: str) -> dict[str, str]:
    """What stays the same when torchrun restarts its processes: its name for the run, itself."""
    launcher = os.getppid()
    try:
        # Numbers of processes come again; with the moment of their start they don't.
        words = Path(f"/proc/{launcher}/stat").read_text(encoding="utf-8").rsplit(")", 1)[-1]
        started = words.split()[19]
    except (OSError, IndexError):
        started = ""
    return {"run_id": run_id, "launcher": f"{socket.gethostname()}/{launcher}/{started}"}


def has_checkpoint(folder: Path) -> bool:
    """Whether there is something to resume."""
    weights = folder / "weights"
    return (weights / LAST).exists() or previous_of(weights / LAST).exists()


def _same_launch(file: Path, launch: dict[str, str], restarts: int) -> bool:
    try:
        known = json.loads(file.read_text(encoding="utf-8"))["starts"][-1]["launch"]
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return False
    # torchrun calls a run "none" when it was given no --rdzv-id.
    named = restarts > 0 and launch["run_id"] not in ("", "none")
    return bool(known == launch or (named and known.get("run_id") == launch["run_id"]))
