"""Runners that are killed, and runners beside each other: every row is trained once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engine.tiny_task import differences
from yolor_gp.ablation.claims import CLAIM, claim
from yolor_gp.ablation.folder import Job, Plan, make_folder, open_folder
from yolor_gp.ablation.runner import Runner
from yolor_gp.ablation.table_file import load_table
from yolor_gp.engine.checkpoints.checkpoint import read_checkpoint
from yolor_gp.engine.checkpoints.checkpointer import LAST

ROOT = Path(__file__).resolve().parents[2]
KILLS = 5
TABLE = f"""\
title: "Tiny"
base: "one"
hyp: demo
img: 64
batch_size: 8
seeds: [0]
rows:
  - {{name: "one", cfg: {ROOT / "tests" / "tiny.yaml"}}}
  - {{name: "two", cfg: {ROOT / "tests" / "tiny.yaml"}}}
  - {{name: "three", cfg: {ROOT / "tests" / "tiny.yaml"}}}
"""


@contextmanager
def runner(folder: Path, name: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """One runner of the table in `folder`, which is gone at the end of the block."""
    (folder / "tiny.yaml").write_text(TABLE)
    (folder / "data.yaml").write_text(
        f"path: {folder / 'data'}\nshapes: {{train: 32, val: 8, size: 64, max_objects: 3}}\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "yolor_gp.commands.main", "ablation", str(folder / "tiny.yaml"),
         "--data", str(folder / "data.yaml"), "--project", str(folder), "--name", name,
         "--epochs", "4", "--device", "cpu", "--workers", "0", "--stale", "4", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def jobs(folder: Path) -> list[Job]:
    return open_folder(folder).jobs()


def starts(job: Job) -> int:
    """How often its training was started."""
    return len(json.loads((job.run / "provenance.json").read_text())["starts"])


@pytest.mark.slow
def test_killed_at_random_moments_it_gives_the_same_table(tmp_path: Path) -> None:
    with runner(tmp_path, "whole") as process:
        assert process.wait(timeout=400) == 0
    chance = random.Random(0)
    for _ in range(KILLS):
        with runner(tmp_path, "cut") as process:
            time.sleep(chance.uniform(6, 16))
            process.send_signal(signal.SIGKILL)
    with runner(tmp_path, "cut") as process:
        assert process.wait(timeout=400) == 0
    for whole, cut in zip(jobs(tmp_path / "whole"), jobs(tmp_path / "cut"), strict=True):
        assert whole.figures() == cut.figures()
        tables = [(job.run / "metrics.csv").read_text() for job in (whole, cut)]
        assert tables[0] == tables[1] and len(tables[0].splitlines()) == 5
        weights = [read_checkpoint(job.run / "weights" / LAST)["average"] for job in (whole, cut)]
        assert differences(weights[0], weights[1]) == []
    written = [(tmp_path / name / "report.md").read_text() for name in ("whole", "cut")]
    assert written[0] == written[1]


@pytest.mark.slow
def test_three_runners_do_each_row_once_and_the_living_take_over(tmp_path: Path) -> None:
    with (
        runner(tmp_path, "shared") as first,
        runner(tmp_path, "shared") as second,
        runner(tmp_path, "shared") as third,
    ):
        killed = _kill_the_owner(tmp_path / "shared", (first, second, third))
        for process in {first, second, third} - {killed}:
            assert process.wait(timeout=400) == 0
    assert all(job.evaluation.is_file() for job in jobs(tmp_path / "shared"))
    assert sorted(starts(job) for job in jobs(tmp_path / "shared"))[:2] == [1, 1]


def _kill_the_owner(
    folder: Path, runners: tuple[subprocess.Popen[bytes], ...]
) -> subprocess.Popen[bytes]:
    """Kill -9 one that has begun to train."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        for weights in folder.glob("*/seed-0/run/metrics.csv"):
            claim = weights.parents[1] / CLAIM
            if claim.is_file():
                owner = json.loads(claim.read_text())["process"]
                for process in runners:
                    if process.pid == owner:
                        process.send_signal(signal.SIGKILL)
                        return process
        time.sleep(0.1)
    raise AssertionError("nobody began to train")


@pytest.mark.slow
def test_a_failing_row_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "tiny.yaml").write_text(TABLE)
    plan = Plan(table=load_table(tmp_path / "tiny.yaml"), data=str(tmp_path / "absent.yaml"))
    folder = make_folder(tmp_path / "failing", plan)
    work = Runner(folder, folder.jobs()[:1], device="cpu", workers=0)
    with caplog.at_level("WARNING"):
        assert work.work() == 1
    assert work.failed == folder.jobs()[:1]
    assert "one, seed 0: failed with exit code 2; see" in caplog.text
    assert "absent.yaml: no such file" in (folder.jobs()[0].folder / "train.log").read_text()
    assert not (folder.jobs()[0].folder / CLAIM).exists()


def test_a_runner_that_does_not_wait_leaves_the_rest_to_others(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(TABLE)
    plan = Plan(table=load_table(tmp_path / "tiny.yaml"), data="shapes")
    folder = make_folder(tmp_path / "shared", plan)
    first, *others = folder.jobs()
    for job in others:
        job.folder.mkdir(parents=True)
        job.evaluation.write_text("{}")
    held = claim(first.folder, stale=60)
    assert held is not None
    with held:
        looks: list[float] = []
        waiting = Runner(folder, folder.jobs(), stale=0.6)

        def look() -> None:
            looks.append(0.0)
            waiting._stopped = len(looks) > 1

        waiting.look = look
        waiting.work()
        assert len(looks) == 2  # it would have looked on
        assert Runner(folder, folder.jobs(), waits=False, look=pytest.fail).work() == 0
    assert not first.evaluation.is_file()
