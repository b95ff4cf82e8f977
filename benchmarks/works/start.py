"""How long a program takes to say something: its help, or what is wrong with a flag."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from benchmarks.settings import Settings
from benchmarks.timing import Run, Timed
from benchmarks.work import Target, Work

ROOT = Path(__file__).resolve().parents[2]
_YOLO = "from ultralytics.cfg import entrypoint; entrypoint()"  # what the command `yolo` runs


def ours(settings: Settings, misspelt: bool) -> Run:
    """`train.py --help`, or with a misspelt flag."""
    del settings
    return _program(str(ROOT / "train.py"), *(["--epohcs", "3"] if misspelt else ["--help"]))


def yolov5(settings: Settings, misspelt: bool) -> Run:
    """The same of the package's program."""
    del settings
    _installed("yolov5")
    words = ["--epohcs", "3"] if misspelt else ["--help"]
    return _program("-m", "yolov5.train", *words)


def ultralytics(settings: Settings, misspelt: bool) -> Run:
    """`yolo help`, which is all the help there is, or `yolo train` with a misspelt argument."""
    del settings
    _installed("ultralytics")
    return _program("-c", _YOLO, *(["train", "epohcs=3"] if misspelt else ["help"]))


def _installed(package: str) -> None:
    if find_spec(package) is None:
        raise ModuleNotFoundError(name=package)


def _program(*words: str) -> Run:
    def run() -> Timed:
        start = time.perf_counter()
        ended = subprocess.run([sys.executable, *words], capture_output=True, text=True)
        return Timed(time.perf_counter() - start, ended.stdout + ended.stderr)

    return run


def _check(said: str) -> str:
    assert "epochs" in said, f"'epochs' is not in what it said: {said[-200:]}"
    return ""


def _work(name: str, title: str, *, misspelt: bool) -> Work:
    return Work(
        name=name,
        title=title,
        ours="benchmarks.works.start:ours",
        peers={
            "yolov5": "benchmarks.works.start:yolov5",
            "ultralytics": "benchmarks.works.start:ultralytics",
        },
        unit="s",
        target=Target("at most", 0.25),
        arguments={"misspelt": misspelt},
        peer_arguments={"misspelt": misspelt},
        check=_check,
    )


WORKS = (
    _work("start-help", "help of the program that trains", misspelt=False),
    _work("start-misspelt", "what is said of a misspelt flag", misspelt=True),
)
