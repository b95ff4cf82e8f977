"""Command lines: an argparse parser that refuses what it does not know in one line."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from yolor_gp.config.suggest import did_you_mean
from yolor_gp.errors import UserError
from yolor_gp.flags.known_flags import known_answer, same_flag
from yolor_gp.flags.names import as_called, called
from yolor_gp.ops.image_size import SMALLEST_SIDE, ImageSize
from yolor_gp.plugins import load_plugins

_ASSIGNMENT = re.compile(r"unrecognized arguments: (\w+)=(\S+)")
"""`epochs=100`, as some programs take their arguments."""

_FLAG = re.compile(r"--?[A-Za-z]")


class _Defaults(argparse.ArgumentDefaultsHelpFormatter):
    """Tells defaults, of flags that have one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False or action.default == []:
            return action.help
        return super()._get_help_string(action)


class Arguments(argparse.ArgumentParser):
    """`argparse.ArgumentParser` without abbreviations; problems are raised as `UserError`.

    Attributes:
        program: `train.py`, `classify.py train`, ...; `prog` is as the user called it.
    """

    def __init__(self, program: str, **options: Any) -> None:
        options.setdefault("formatter_class", _Defaults)
        super().__init__(allow_abbrev=False, prog=called(program), **options)
        self.program = program
        self.add_argument(
            "--plugins",
            nargs="+",
            metavar="MODULE",
            default=argparse.SUPPRESS,
            help="modules or .py files that bring blocks, measures, ...: see docs/extending.md",
        )

    def parse(self, arguments: Sequence[str] | None = None) -> argparse.Namespace:
        """Parse `arguments` (None: the process's own).

        Raises:
            UserError: When a flag is unknown or its value wrong, or a plugin cannot be loaded.
        """
        words = list(sys.argv[1:] if arguments is None else arguments)
        words = [self._in_our_words(word) for word in words]
        # Before argparse, which would first complain of the flag that was meant.
        unknown = [self._unknown(flag) for flag in self._flags(words)]
        problems = [problem for problem in unknown if problem]
        if problems:
            raise UserError(*problems)
        options = self.parse_args(words)
        load_plugins(vars(options).pop("plugins", ()))
        return options

    def format_help(self) -> str:
        """As argparse formats it, with commands named as the user calls them."""
        return as_called(super().format_help())

    def error(self, message: str) -> NoReturn:
        """What argparse calls: raises instead of printing the usage and leaving.

        Raises:
            UserError: Always, with the message.
        """
        if (found := _ASSIGNMENT.search(message)) is not None:
            name, value = found.groups()
            message = f"'{name}={value}' is no flag; write --{name} {value}"
        raise UserError(f"{self.prog}: {message}; see {self.prog} --help")

    def _flags(self, words: Sequence[str]) -> list[str]:
        before_separator = words[: words.index("--")] if "--" in words else words
        return [word.split("=", 1)[0] for word in before_separator if _FLAG.match(word)]

    @property
    def known(self) -> list[str]:
        """Every flag, with its dashes."""
        return [name for action in self._actions for name in action.option_strings]

    def _in_our_words(self, word: str) -> str:
        """A flag by another project's name under its own name here; other words as they are."""
        flag, equals, value = word.partition("=")
        if not _FLAG.match(word) or flag in self.known:
            return word
        same = same_flag(flag) or flag.replace("_", "-")
        return same + equals + value if same in self.known else word

    def _unknown(self, flag: str) -> str | None:
        known = self.known
        if flag in known:
            return None
        if (answer := known_answer(self.program, flag)) is not None:
            return f"{self.prog}: {flag}: {answer}"
        return (
            f"{self.prog}: unknown flag '{flag}'{did_you_mean(flag, known)}; see {self.prog} --help"
        )


def add_views(parser: argparse.ArgumentParser) -> None:
    """The flags of `detection.views.Views`, for every program that looks at pictures."""
    add = parser.add_argument
    add("--slice", type=whole_number(32), metavar="PIXELS",
        help="look also at windows of so many pixels: small objects in large pictures")  # fmt: skip
    add("--overlap", type=fraction, default=0.2,
        help="of neighbouring windows, as a share of their side")  # fmt: skip
    add("--augment", action="store_true",
        help="look at pictures also mirrored and at other sizes: slower, finds more")  # fmt: skip


def whole_number(minimum: int = 0) -> Callable[[str], int]:
    """An argparse `type`: a whole number of at least `minimum`."""

    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = minimum - 1
        if number < minimum:
            raise argparse.ArgumentTypeError(
                f"expected a whole number of at least {minimum}, found '{text}'"
            )
        return number

    return convert


def image_size(text: str) -> ImageSize:
    """An argparse `type`: `640` or `WIDTHxHEIGHT`."""
    return _size_of(text)


def add_image_size(parser: argparse.ArgumentParser, remark: str) -> None:
    """The flag `--img N`, or `--img WIDTH HEIGHT`; parsed into `image_size`."""
    parser.add_argument(
        "--img", dest="image_size", nargs="+", action=_StoreSize, metavar=("SIDE", "HEIGHT"),
        help=f"side of the square input, or its width and height, in pixels ({remark})",
    )  # fmt: skip


class _StoreSize(argparse.Action):
    """One or two words as an `ImageSize`."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Store it.

        Raises:
            ArgumentError: When it is none; argparse adds the flag.
        """
        try:
            setattr(namespace, self.dest, _size_of(values or ()))
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentError(self, str(error)) from None


def _size_of(value: str | Sequence[str]) -> ImageSize:
    try:
        size = ImageSize.of(value[0] if len(value) == 1 else value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if min(size) < SMALLEST_SIDE:
        raise argparse.ArgumentTypeError(f"sides are at least {SMALLEST_SIDE} px, found '{size}'")
    return size


def fraction(text: str) -> float:
    """An argparse `type`: a number from 0 to 1.

    Raises:
        ArgumentTypeError: For any other text.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, found '{text}'")
    return number


def one_of(*known: str) -> Callable[[str], str]:
    """An argparse `type`: one of the `known` words, with a did-you-mean."""

    def convert(text: str) -> str:
        if text not in known:
            raise argparse.ArgumentTypeError(
                f"unknown word '{text}'{did_you_mean(text, known)} (known: {', '.join(known)})"
            )
        return text

    return convert
