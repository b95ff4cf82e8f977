from __future__ import annotations

from pathlib import Path

import pytest

from yolor_gp.commands.demo import main, next_steps
from yolor_gp.flags.names import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
DATA = "path: datasets/shapes\nshapes: {train: 24, val: 8, size: 64}\n"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_demo_trains_evaluates_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a few tiny images, found before the shipped data set of the same name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shapes").write_text(DATA)
    assert main(["--img", "64", "--epochs", "1"]) == 0
    printed = capsys.readouterr().out
    assert "box AP" in printed and "what next" in printed
    folder = tmp_path / "runs" / "demo" / "exp"
    assert (folder / "metrics.json").is_file()
    assert len(list((folder / "pictures").iterdir())) == 8


def test_the_next_steps_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["scripts/demo.py"])
    for step in next_steps("w.pt"):
        python, program, *_ = step.split()
        assert python == "python" and (ROOT / program).is_file()
    monkeypatch.setattr("sys.argv", ["bin/yolor-gp"])
    steps = [step.split() for step in next_steps("w.pt")]
    assert all(program == "yolor-gp" and command in COMMANDS for program, command, *_ in steps)
    assert ["val", "--weights", "w.pt"] in [words[1:4] for words in steps]
