from __future__ import annotations

from pathlib import Path

import pytest

from yolor_gp.commands.demo import main

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
