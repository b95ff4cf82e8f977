"""`yolor-gp COMMAND ...`: one entry point to every command."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from yolor_gp.commands.program import command, exit_code
from yolor_gp.config.suggest import did_you_mean
from yolor_gp.errors import UserError
from yolor_gp.flags.names import COMMANDS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command named first, with the rest of the arguments; return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print(_usage())
        return 0 if words else 2
    return exit_code(_dispatch, words)


def _dispatch(words: Sequence[str] | None) -> int:
    assert words
    if words[0] not in COMMANDS:
        raise UserError(
            f"yolor-gp: unknown command '{words[0]}'{did_you_mean(words[0], COMMANDS)}"
            f" (known: {', '.join(COMMANDS)})"
        )
    return command(words[0], words[1:])


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {purpose}" for name, purpose in COMMANDS.items()]
    return "\n".join(["usage: yolor-gp COMMAND [--help] ...", "", "commands:", *lines])


if __name__ == "__main__":
    sys.exit(main())
