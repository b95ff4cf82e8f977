"""Every command line on a page is one that its program takes: flags, values and names are known."""

from __future__ import annotations

import importlib
import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_docs import PAGES
from yolor_gp.config.shipped import find_shipped
from yolor_gp.flags.names import COMMANDS

_BLOCK = re.compile(r"^ *```\w*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_QUOTED = re.compile(r"`((?:python|torchrun|yolor-gp)\s[^`]+)`")
_KINDS = {"--cfg": "model", "--hyp": "train"}
"""Flags whose values are names of shipped files, where they are no files of the user's."""


def lines_of(text: str) -> Iterator[str]:
    """Lines of code blocks, continued ones as one, and what is quoted among words."""
    for block in _BLOCK.findall(text):
        yield from block.replace("\\\n", " ").splitlines()
    yield from _QUOTED.findall(_BLOCK.sub("", text))


def command_of(line: str) -> tuple[str, list[str]] | None:
    """(program, its arguments), where the line runs one of ours."""
    words = shlex.split(re.sub(r"\$\(.*?\)", "", line), comments=True)
    words = [part for word in words for part in (word.split() if ".py " in word else [word])]
    for place, word in enumerate(words):
        name = Path(word).stem.replace("_", "-") if word.endswith(".py") else ""
        if word == "yolor-gp" and words[place + 1 :]:
            place, name = place + 1, words[place + 1]
        if name in COMMANDS:
            return name, [word for word in words[place + 1 :] if word != "..."]
    return None


def commands() -> Iterator[tuple[str, str, str]]:
    """(page, program, its arguments) of every command line."""
    for page in PAGES:
        for line in lines_of(page.read_text(encoding="utf-8")):
            if re.search(r"\.py\b|yolor-gp ", line) and (found := command_of(line)) is not None:
                yield page.name, found[0], shlex.join(found[1])


CASES = sorted(set(commands()))


@pytest.mark.parametrize(("page", "program", "line"), CASES)
def test_the_program_takes_it(
    page: str, program: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--help` at the end: what stands before it is checked, and nothing is done."""
    words = shlex.split(line)
    module = importlib.import_module(f"yolor_gp.commands.{program.replace('-', '_')}")
    with pytest.raises(SystemExit) as left:
        module.main([*words, "--help"])
    assert left.value.code == 0 and "usage:" in capsys.readouterr().out
    for flag, value in itertools.pairwise(words):
        if flag in _KINDS and not Path(value).suffix and value != "auto":
            find_shipped(_KINDS[flag], value)


def test_there_are_many() -> None:
    assert len(CASES) > 80
    assert {program for _, program, _ in CASES} == set(COMMANDS)
