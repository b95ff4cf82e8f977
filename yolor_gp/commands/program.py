"""The door of every command: bad input becomes one line per problem and exit code 2."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import NoReturn, TypeAlias

from yolor_gp.errors import EXIT_LOST_PEER, LostPeerError, UserError
from yolor_gp.flags.names import as_called
from yolor_gp.process.allocator import keep_freed_memory
from yolor_gp.process.opencv import silence_opencv

Main: TypeAlias = Callable[[Sequence[str] | None], int]

BAD_INPUT = 2
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it


class _Words(logging.Handler):
    """The package's words as lines: of warnings on stderr, of the rest on stdout."""

    def emit(self, record: logging.LogRecord) -> None:
        stream = sys.stderr if record.levelno >= logging.WARNING else sys.stdout
        print(self.format(record), file=stream, flush=True)


def show_words() -> None:
    """Print what the package says, which as a library it leaves to `logging`."""
    logger = logging.getLogger("yolor_gp")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    if not any(isinstance(handler, _Words) for handler in logger.handlers):
        logger.addHandler(_Words())


def exit_code(main: Main, arguments: Sequence[str] | None = None) -> int:
    """Call `main` and turn the user's errors into messages on stderr and an exit code.

    Any other exception is a fault of the program and keeps its traceback.
    """
    keep_freed_memory()
    silence_opencv()
    show_words()
    try:
        return main(arguments)
    except UserError as error:
        for problem in error.problems:
            print(as_called(problem), file=sys.stderr)
        return BAD_INPUT
    except LostPeerError as error:
        print(error, file=sys.stderr, flush=True)
        return EXIT_LOST_PEER
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def command(name: str, arguments: Sequence[str] | None = None) -> int:
    """Run the command of this name; None: with the arguments of the process.

    Its words are read before the libraries that it works with are loaded, which takes seconds: so
    help, and what is wrong with a flag, need not wait for them.

    Raises:
        UserError: For what the user can mend.
    """
    module = name.replace("-", "_")
    import_module(f"yolor_gp.flags.{module}").parser().parse(arguments)
    return int(import_module(f"yolor_gp.commands.{module}").main(arguments))


def run(main: Main) -> NoReturn:
    """Run a program with the arguments of the process and leave with its exit code."""
    sys.exit(exit_code(main))


def start(name: str) -> NoReturn:
    """Run the command of this name, as `run` does."""
    run(partial(command, name))
