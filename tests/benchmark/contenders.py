"""Contenders of known speed, in seconds that nobody waits for."""

from __future__ import annotations

import os

from benchmarks.settings import Settings
from benchmarks.timing import Run, Timed


def fast(settings: Settings) -> Run:
    return lambda: Timed(1.0, "fast", 0.5)


def slow(settings: Settings) -> Run:
    return lambda: Timed(3.0, "slow", 2.0)


def slower(settings: Settings) -> Run:
    return lambda: Timed(6.0, "slower")


def absent(settings: Settings) -> Run:
    raise ModuleNotFoundError("No module named 'yolov5'", name="yolov5")


def broken(settings: Settings) -> Run:
    raise ValueError("no such thing")


def process_id(settings: Settings) -> Run:
    return lambda: Timed(1.0, os.getpid())


def dying(settings: Settings) -> Run:
    def run() -> Timed:
        os._exit(1)

    return run
