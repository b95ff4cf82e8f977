"""The report of a run: everything in one page, and several runs beside each other."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import yolor_gp
from tests.tiny_network import TINY
from yolor_gp.commands.report import main
from yolor_gp.errors import UserError
from yolor_gp.evaluation.calibration import class_thresholds, reliability
from yolor_gp.evaluation.curves import Matches


def matches() -> Matches:
    """Class 0: right above 0.6, wrong below; class 1: half of both; class 2: no objects."""
    scores = np.array([0.9, 0.8, 0.7, 0.62, 0.5, 0.4, 0.3, 0.2])
    labels = np.array([0, 1, 0, 1, 0, 0, 1, 1])
    correct = np.array([True, True, True, False, False, False, True, False])
    return Matches(scores, labels, correct, np.array([2, 2, 0]))


def test_a_class_is_shown_from_its_best_f1_on() -> None:
    found = class_thresholds(matches())
    assert 0.5 < found[0] <= 0.7 and 0.2 < found[1] <= 0.3 and np.isnan(found[2])


def test_a_class_is_shown_from_a_wanted_precision_on() -> None:
    found = class_thresholds(matches(), 0.9)
    assert 0.5 < found[0] <= 0.7 and 0.62 < found[1] <= 0.8
    nothing_right = Matches(np.array([0.5]), np.array([0]), np.array([False]), np.array([1]))
    assert class_thresholds(nothing_right, 0.9).tolist() == [1.0]


def test_reliability_compares_scores_with_shares() -> None:
    generator = np.random.default_rng(0)
    scores = np.sort(generator.random(20_000))[::-1]
    zeros, objects = np.zeros(20_000, np.int64), np.array([20_000])
    honest = reliability(Matches(scores, zeros, generator.random(20_000) < scores, objects))
    boasting = reliability(Matches(scores, zeros, generator.random(20_000) < scores / 2, objects))
    assert honest.error < 0.02 and 0.2 < boasting.error < 0.3
    assert len(honest.count) == 20 and honest.count.sum() == (scores >= 0.01).sum()
    nobody = Matches(scores[:0], zeros[:0], zeros[:0] > 0, objects)
    assert reliability(nobody).error == 0


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two short trainings that differ in their seed."""
    folder = tmp_path_factory.mktemp("report")
    data = folder / "few.yaml"
    data.write_text(
        f"path: {folder / 'few'}\nshapes: {{train: 16, val: 4, size: 64, max_objects: 3}}\n"
    )
    flags: dict[str, Any] = {
        "hyp": "demo", "img": 64, "batch_size": 8, "epochs": 2, "workers": 0,
        "precision": "float32", "project": folder,
    }  # fmt: skip
    return [
        yolor_gp.load(TINY, device="cpu").train(data, **flags, seed=seed, name=name).folder
        for seed, name in ((0, "first"), (1, "a<b>&c"))
    ]


@pytest.fixture(scope="module")
def page(runs: list[Path]) -> str:
    """Of both beside each other."""
    out = runs[0].parent / "new" / "r.html"
    words = [*map(str, runs), "--out", str(out), "--workers", "0", "--device", "cpu"]
    assert main(words) == 0
    return out.read_text()


def test_everything_of_a_run_is_in_its_page(runs: list[Path], page: str) -> None:
    for title in ("Average precision", "How it went", "Classes", "Images with most mistakes",
                  "What the doctor says", "To repeat", "config.yaml"):  # fmt: skip
        assert title in page, title
    assert "--seed 0" not in page and "seed: 0" in page
    assert page.count("data:image/png;base64,") >= 14
    assert not re.search(r"(src|href)=.https?:|@import|<script", page)
    figures = yolor_gp.load(runs[0], device="cpu").val(runs[0].parent / "few.yaml", workers=0)
    assert f"<td>{100 * figures.bbox['AP']:.1f}</td>" in page


def test_runs_side_by_side(page: str) -> None:
    assert "Settings that differ" in page and "<td>seed</td><td>0</td><td>1</td>" in page
    assert "a&lt;b&gt;&amp;c" in page and "<b>&c" not in page
    assert re.search(r"<td>box AP</td><td>[\d.]+</td><td>[\d.]+ \([+-][\d.]+\)</td>", page)


def test_weights_alone_need_data(runs: list[Path], tmp_path: Path) -> None:
    weights = str(runs[0] / "weights" / "best.pt")
    with pytest.raises(UserError, match="is no run folder, so it says no data; add --data"):
        main([weights, "--out", str(tmp_path / "r.html")])
    data = str(runs[0].parent / "few.yaml")
    words = [weights, "--data", data, "--out", str(tmp_path / "r.html"), "--workers", "0"]
    assert main([*words, "--device", "cpu"]) == 0
    assert "nothing is known of its training" in (tmp_path / "r.html").read_text()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
@pytest.mark.parametrize("width", [1200, 400])
def test_a_browser_shows_it(runs: list[Path], tmp_path: Path, width: int) -> None:
    out, shot = tmp_path / "r.html", tmp_path / "shot.png"
    main([*map(str, runs), "--out", str(out), "--workers", "0", "--device", "cpu"])
    dumped = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},900",
         f"--screenshot={shot}", "--dump-dom", out.as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert "Settings that differ" in dumped.stdout
