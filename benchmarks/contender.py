"""A contender in a process of its own: set up once, then run when it is its turn."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.settings import Settings
from benchmarks.timing import Run, Timed
from yolor_gp.process.allocator import keep_freed_memory

QUIET = {
    # Peers neither phone home nor write outside the scratch folder.
    "YOLO_OFFLINE": "true", "YOLO_VERBOSE": "false", "WANDB_MODE": "disabled",
    "COMET_MODE": "disabled", "GIT_PYTHON_REFRESH": "quiet",
}  # fmt: skip


class ContenderError(Exception):
    """A contender cannot run; `missing` when its package is not installed."""

    def __init__(self, message: str, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


class Contender:
    """Use as a context manager; `setup` names a function "module:name" of Settings -> Run."""

    def __init__(self, setup: str, settings: Settings, **arguments: Any) -> None:
        self.setup = setup
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        log = settings.scratch / f"{setup.replace(':', '.')}.log"
        # Not a daemon: data loaders start processes of their own.
        self._process = context.Process(
            target=_serve, args=(theirs, setup, settings, arguments, log), daemon=False
        )
        self._process.start()
        theirs.close()

    def __enter__(self) -> Contender:
        try:
            self._receive()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def run(self) -> Timed:
        """One measured run. Raises `ContenderError`."""
        self._connection.send("run")
        result: Timed = self._receive()
        return result

    def profile(self, folder: Path, name: str) -> None:
        """One run under the profilers, which write to `folder`."""
        self._connection.send((folder, name))
        self._receive()

    def close(self) -> None:
        """End the process."""
        if self._process.is_alive():
            with suppress(OSError):
                self._connection.send("stop")
            self._process.join(timeout=20)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()
        self._connection.close()

    def _receive(self) -> Any:
        try:
            good, value = self._connection.recv()
        except EOFError:
            raise ContenderError(f"{self.setup}: its process ended") from None
        if not good:
            raise ContenderError(*value)
        return value


def _serve(
    connection: Connection, setup: str, settings: Settings, arguments: dict[str, Any], log: Path
) -> None:
    scratch = str(settings.scratch)
    os.environ.update(QUIET, YOLO_CONFIG_DIR=scratch, XDG_CACHE_HOME=scratch)
    sys.stdout.flush()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    run = _attempt(connection, lambda: _set_up(setup, settings, arguments))
    if run is None:
        return
    connection.send((True, None))
    while (order := connection.recv()) != "stop":
        action = run if order == "run" else partial(_profile, run, *order)
        value = _attempt(connection, action)
        if value is not None:
            connection.send((True, value))


def _profile(run: Run, folder: Path, name: str) -> Timed:
    from benchmarks.profiling import profile  # brings torch, which not every contender needs

    return profile(run, folder, name)


def _set_up(setup: str, settings: Settings, arguments: dict[str, Any]) -> Run:
    module, function = setup.split(":")
    if function.startswith("ours"):
        keep_freed_memory()  # as this project's programs do at their start
    run: Run = getattr(importlib.import_module(module), function)(settings, **arguments)
    return run


def _attempt(connection: Connection, action: Callable[[], Any]) -> Any:
    """The value of `action`; None after an error, which the parent is told."""
    try:
        return action()
    except Exception as error:
        traceback.print_exc()
        missing = isinstance(error, ModuleNotFoundError) and error.name in ("yolov5", "ultralytics")
        connection.send((False, (f"{type(error).__name__}: {error}", missing)))
        return None
