"""`yolor-gp COMMAND ...`: one entry point to every command."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from yolor_gp.commands.program import exit_code
from yolor_gp.config.suggest import did_you_mean
from yolor_gp.errors import UserError

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
"""Every command and what it does; `x-y` stands in `commands/x_y.py`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command named first, with the rest of the arguments; return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print(_usage())
        return 0 if words else 2
    return exit_code(_dispatch, words)


def _dispatch(words: Sequence[str] | None) -> int:
    assert words
    command = words[0]
    if command not in COMMANDS:
        raise UserError(
            f"yolor-gp: unknown command '{command}'{did_you_mean(command, COMMANDS)}"
            f" (known: {', '.join(COMMANDS)})"
        )
    # By name, so that `--help` need not wait for every command's libraries.
    module = importlib.import_module(f"yolor_gp.commands.{command.replace('-', '_')}")
    return int(module.main(words[1:]))


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {purpose}" for name, purpose in COMMANDS.items()]
    return "\n".join(["usage: yolor-gp COMMAND [--help] ...", "", "commands:", *lines])


if __name__ == "__main__":
    sys.exit(main())
