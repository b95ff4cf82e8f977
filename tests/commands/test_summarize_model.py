from __future__ import annotations

import json
from pathlib import Path

import pytest

from yolor_gp.commands import paper_table
from yolor_gp.commands.program import exit_code
from yolor_gp.commands.summarize_model import main


def test_ends_with_gflops_and_parameters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    assert main(["yolor-csp", "yolor-elan-n", "--json", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "159.0 G / 54.3 M" in lines
    assert lines[-1] == "9.5 G / 2.5 M"
    csp, elan = json.loads(file.read_text())
    assert list(csp) == ["name", "params", "gflops", "gflops_conv"]
    assert (csp["name"], elan["name"]) == ("yolor-csp", "yolor-elan-n")
    assert round(csp["gflops"], 3) == 158.974
    assert csp["params"] == 54_252_602


def test_size_and_classes_change_the_figures(tmp_path: Path) -> None:
    def gflops(*words: str) -> float:
        file = tmp_path / "figures.json"
        main(["yolor-elan-n", "--json", str(file), *words])
        return float(json.loads(file.read_text())[0]["gflops"])

    whole = gflops()
    assert gflops("--size", "320") == pytest.approx(whole / 4)
    assert gflops("--classes", "1") < whole


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "give model files, --paper"),
        (["yolor-csp", "--paper"], "give model files, --paper"),
        (["yolor-cps"], "no such file, nor a shipped model of that name; did you mean"),
        (["yolor-csp-n", "--size", "650"], "650 is not a multiple of 32"),
        (["yolor-csp-n", "--json", "README.md/figures.json"], "cannot be written"),
    ],
)
def test_bad_input_is_answered_in_one_line(
    words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(main, words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line


def test_every_row_of_the_paper(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = paper_table.shipped_files
    chosen = {"table7-elan-1-1", "table8-yolov5l-seg", "resnet50"}
    monkeypatch.setattr(
        paper_table, "shipped_files", lambda kind: [p for p in shipped(kind) if p.stem in chosen]
    )
    file = tmp_path / "rows.json"
    assert main(["--paper", "--json", str(file)]) == 0
    rows = json.loads(file.read_text())
    assert [row["config"] for row in rows] == ["resnet50", "table7-elan-1-1", "table8-yolov5l-seg"]
    assert rows[1] == {
        "table": 7, "row": "+ ELAN-{1,1}s", "config": "table7-elan-1-1",
        "gflops": pytest.approx(126.376, abs=5e-4), "params": 34_516_570,
        "printed_gflops": 126.4, "printed_params": None,
    }  # fmt: skip
    assert rows[2]["printed_params"] == 47_900_000
    table = capsys.readouterr().out
    assert (
        "| 8 | YOLOv5l (r6.2) | table8-yolov5l-seg | 147.730 | 147.7 | +0.02% | 47.894 |" in table
    )
    assert "| 126.376 | 126.4 | -0.02% | 34.517 |  |  |" in table
