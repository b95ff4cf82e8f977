"""Tables of classifiers: the same folder, runners and report as those of detectors."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.classification.labelled import write_folders
from yolor_gp.ablation.answers import read_answers
from yolor_gp.ablation.figures import table_figures
from yolor_gp.ablation.folder import AblationFolder, Plan, Proxy, make_folder
from yolor_gp.ablation.progress import progress
from yolor_gp.ablation.report import write_report
from yolor_gp.ablation.table_file import load_table
from yolor_gp.commands.ablation import main
from yolor_gp.errors import UserError

TABLE = """\
title: "Two classifiers"
task: classification
base: "one"
hyp: classify
img: 32
batch_size: 8
seeds: [0, 1]
rows:
  - {name: "one", cfg: resnet34, printed: {top1: 77.2}}
  - {name: "two", cfg: densenet18}
"""
_RIGHT = {"one": (1, 1, 0, 0), "two": (1, 1, 1, 0)}


def written(folder: Path) -> Path:
    file = folder / "two.yaml"
    file.write_text(TABLE)
    return file


@pytest.fixture
def folder(tmp_path: Path) -> AblationFolder:
    plan = Plan(table=load_table(written(tmp_path)), data="nowhere",
                proxy=Proxy(width=0.25, depth=0.33))  # fmt: skip
    return make_folder(tmp_path / "two", plan)


def finish(folder: AblationFolder) -> None:
    """Every run, with the same four answers in both seeds."""
    for job in folder.jobs():
        right = _RIGHT[job.row.name]
        job.run.mkdir(parents=True)
        (job.run / "metrics.csv").write_text("epoch,train/total,val/top-1\n1,3.0,0.4\n")
        job.evaluation.write_text(json.dumps({"top-1": np.mean(right), "top-5": 1.0}))
        rows = [
            {"image": f"{k}.png", "label": "cat", "predicted": "cat" if found else "dog"}
            for k, found in enumerate(right)
        ]
        job.predictions.write_text(json.dumps(rows[::-1]))


def test_the_report_of_classifiers(folder: AblationFolder) -> None:
    finish(folder)
    first, second = table_figures(folder)
    assert (first.found["top1"].mean, second.found["top1"].mean) == (50, 75)
    assert second.difference is not None and second.difference.mean == 0.25
    assert second.difference.low == 0 and second.difference.high == 0.75
    assert first.paths is not None and first.paths.longest_shortest > 0
    write_report(folder, [first, second])
    text = (folder.path / "report.md").read_text()
    assert "top-1, beside one" in text and "+25.0 points [+0.0, +75.0]" in text
    assert "| one | " in text and "50.0 ± 0.0 | 77.2 | 100.0 ± 0.0 |" in text
    assert "NMS" not in text
    (row, _) = csv.DictReader((folder.path / "table.csv").read_text().splitlines())
    assert (row["top1"], row["top1_printed"]) == ("50.0", "77.2") and "box_ap" not in row
    assert progress(folder, 60)[0].found == {"top-1": 50.0}


def test_answers_are_counted_by_how_often_an_image_is_drawn(folder: AblationFolder) -> None:
    finish(folder)
    answers = read_answers(folder.jobs()[0].predictions)
    assert answers.images == 4 and answers.score() == 0.5
    assert answers.score(np.array([2, 1, 0, 1])) == 0.75
    folder.jobs()[0].predictions.write_text("[{}]")
    with pytest.raises(UserError, match=r"predictions\.json: cannot be read"):
        read_answers(folder.jobs()[0].predictions)


def test_data_of_detectors_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="shapes: no such folder"):
        main([str(written(tmp_path)), "--data", "shapes"])
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_proxy_of_classifiers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_folders(tmp_path / "data", train=16)
    monkeypatch.chdir(tmp_path)
    words = ["--data", str(data), "--proxy", "--epochs", "2", "--device", "cpu", "--workers", "0"]
    assert main([str(written(tmp_path)), *words, "--seeds", "0"]) == 0
    report = (tmp_path / "runs" / "ablation" / "two" / "report.md").read_text()
    assert "one seed tells nothing of the spread" in report and "2 epochs, 32 px" in report
