"""The commands, and what the user calls them: scripts of a checkout, or words of `yolor-gp`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

COMMANDS = {
    "train": "train a network on a data set",
    "val": "box and mask AP of a network on a data set",
    "report": "what runs have learned and where they fail, as one page",
    "detect": "find and draw objects in images, videos, cameras and streams",
    "classify": "train, evaluate and use classifiers",
    "summarize-model": "layers, parameters and FLOPs of a model file",
    "import-weights": "convert official checkpoints",
    "export-model": "write weights for another runtime, and prove them",
    "gradient-paths": "gradient path analysis of a model file",
    "information-flow": "which layers of a trained network do the work",
    "ablation": "train and lay out a table of the papers",
    "prepare-coco": "check, and fetch when told to, COCO 2017",
    "check-dataset": "find what is wrong with a data set",
    "convert-dataset": "write a data set in another format, or divide it",
    "demo": "train, evaluate and draw on the built-in data set",
}
"""Every command and what it does; of `x-y` the flags stand in `flags/x_y.py`, the deed in
`commands/x_y.py`."""

_PROGRAM = re.compile(r"(?<![\w./\\-])(?:python )?(?:scripts/)?([a-z]+(?:_[a-z]+)?)\.py\b")
"""A program in a sentence, not the end of a path."""


def called(program: str) -> str:
    """`scripts/report.py`, or as users of the installed package call it: `yolor-gp report`."""
    if Path(sys.argv[0]).stem != "yolor-gp":
        return program
    name, *rest = program.split()
    return " ".join(["yolor-gp", Path(name).stem.replace("_", "-"), *rest])


def as_called(text: str) -> str:
    """The same text with every command in it named as the user calls it."""
    return _PROGRAM.sub(_called_in_text, text)


def _called_in_text(found: re.Match[str]) -> str:
    if found[1].replace("_", "-") not in COMMANDS:
        return found[0]
    program = found[0].removeprefix("python ")
    command = called(program)
    return found[0] if command == program else command
