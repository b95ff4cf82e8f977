"""Every bad input gets a message of one line per problem and exit code 2, and no traceback.

`python -m tests.test_bad_input` writes docs/bad-input.md from what the commands answer.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path

import pytest

from tests.bad_data_cases import data_cases
from tests.bad_input import BadInput
from tests.bad_program_cases import program_cases
from tests.real_export_cases import CASES as EXPORTS
from tests.real_export_cases import RealExport
from yolor_gp.commands.main import main

CASES = data_cases() + program_cases()
HOW = "python -m tests.test_bad_input"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "bad-input.md"


def name(case: BadInput) -> str:
    return f"{case.group}: {case.what}".replace(" ", "-")


def run(case: BadInput, root: Path) -> tuple[int, str]:
    """The exit code, and what is written to stderr, with paths relative to `root`."""
    case.prepare(root)
    output, errors = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(root),
        contextlib.redirect_stderr(errors),
        contextlib.redirect_stdout(output),
    ):
        code = main([case.command, *case.words])
    return code, errors.getvalue().replace(f"{root.resolve()}{os.sep}", "")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.mark.parametrize("case", CASES, ids=name)
def test_bad_input_is_answered(case: BadInput, tmp_path: Path) -> None:
    code, message = run(case, tmp_path)
    assert code == 2, message
    assert message.strip() and "Traceback" not in message
    missing = [words for words in case.answer if words not in message]
    assert not missing, f"{missing} not in:\n{message}"
    assert not list(tmp_path.glob("runs/*/*/weights/*")), "nothing was trained"
    assert row(case, message) in PAGE.read_text(encoding="utf-8"), f"write the page again: {HOW}"


def test_there_are_many_cases() -> None:
    assert len(CASES) >= 80
    assert len({name(case) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", EXPORTS, ids=lambda case: case.what.replace(" ", "-"))
def test_real_exports_are_answered(case: RealExport, tmp_path: Path) -> None:
    said = case.answer(tmp_path)
    assert said
    assert export_row(case, said, tmp_path) in PAGE.read_text(encoding="utf-8"), HOW


def export_row(case: RealExport, said: list[str], root: Path) -> str:
    """The line of the page."""
    told = "<br>".join(f"`{line}`" for line in said).replace(f"{root.resolve()}{os.sep}", "")
    return f"| {case.what} | {case.before} | {told} |"


def row(case: BadInput, message: str) -> str:
    """The line of the page."""
    told = "<br>".join(f"`{line}`" for line in message.strip().splitlines())
    command = " ".join([case.command, *case.words])
    return f"| {case.what} | `{command}` | {told.replace('|', chr(92) + '|')} |"


def page() -> str:
    lines = [
        "# What bad input is answered",
        "",
        f"{len(CASES)} inputs that are wrong in one way each; every one ends with exit code 2 and",
        "the message below, without a traceback. `tests/test_bad_input.py` keeps this and writes",
        "this page.",
    ]
    group = ""
    for case in CASES:
        if case.group != group:
            group = case.group
            lines += ["", f"## {group}", "", "| input | command | message |", "|-|-|-|"]
        with tempfile.TemporaryDirectory() as folder:
            code, message = run(case, Path(folder).resolve())
        assert code == 2, (case, message)
        lines.append(row(case, message))
    lines += ["", "# Real exports", "", "What labelling tools really write: before, and now.", ""]
    lines += ["| input | before | now |", "|-|-|-|"]
    for export in EXPORTS:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder).resolve()
            lines.append(export_row(export, export.answer(root), root))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
