from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tests.engine.tiny_task import tiny_config, train
from yolor_gp.config.run_config import RunConfig
from yolor_gp.engine.checkpoints.provenance import collect_provenance, write_provenance
from yolor_gp.engine.checkpoints.resume import (
    PROVENANCE_FILE,
    find_restarted,
    has_checkpoint,
    latest_run,
    launch_identity,
    open_resumed,
)
from yolor_gp.errors import UserError


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "exp"
    train(folder, tiny_config(epochs=2))
    return folder


def unfinish(run: Path) -> Path:
    """The run as it was one checkpoint earlier."""
    weights = run / "weights"
    (weights / "last.previous.pt").replace(weights / "last.pt")
    return run


def test_a_finished_run_says_so(finished: Path) -> None:
    with pytest.raises(UserError, match=r"this run is finished \(2 epochs\)"):
        open_resumed(str(finished), Path("nowhere"), RunConfig)


def test_weights_alone_cannot_be_resumed(finished: Path) -> None:
    with pytest.raises(UserError, match="holds weights only"):
        open_resumed(str(finished / "weights" / "best.pt"), Path("nowhere"), RunConfig)


def test_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run with a checkpoint"):
        open_resumed("", tmp_path, RunConfig)
    with pytest.raises(UserError, match="no such checkpoint"):
        open_resumed(str(tmp_path / "absent.pt"), tmp_path, RunConfig)


def test_bare_resume_takes_the_latest(tmp_path: Path) -> None:
    for name in ("old", "new"):
        train(tmp_path / name, tiny_config(epochs=2))
        unfinish(tmp_path / name)
    hour_ago = time.time() - 3600
    os.utime(tmp_path / "old" / "weights" / "last.pt", (hour_ago, hour_ago))
    assert latest_run(tmp_path) == tmp_path / "new"
    resumed = open_resumed("", tmp_path, RunConfig)
    assert resumed.folder == tmp_path / "new" and resumed.config.batch_size == 4
    assert resumed.state["progress"]["epoch"] == 1 and not resumed.warnings


def test_damage_is_reported(tmp_path: Path) -> None:
    run = tmp_path / "exp"
    train(run, tiny_config(epochs=2))
    (run / "weights" / "last.pt").write_bytes(b"half a checkp")
    resumed = open_resumed(str(run), tmp_path, RunConfig)
    assert resumed.checkpoint.name == "last.previous.pt"
    assert "last.pt" in resumed.warnings[0] and "going on from" in resumed.warnings[0]


def test_torchrun_finds_the_run_it_restarts(tmp_path: Path) -> None:
    mine, other = tmp_path / "exp", tmp_path / "exp2"
    for run, identity in ((mine, launch_identity("none")), (other, {"run_id": "none"})):
        run.mkdir()
        write_provenance(run / PROVENANCE_FILE, collect_provenance(launch=identity))
    assert find_restarted(tmp_path, launch_identity("none"), 0) == mine
    assert not has_checkpoint(mine)
    # A replaced machine has another launcher, but the job's name.
    write_provenance(
        other / PROVENANCE_FILE, collect_provenance(launch={"run_id": "job7", "launcher": "x/1"})
    )
    assert find_restarted(tmp_path, launch_identity("job7"), 1) == other
    assert find_restarted(tmp_path, launch_identity("job7"), 0) is None
    assert find_restarted(tmp_path, launch_identity("job8"), 1) is None


def test_provenance_remembers_every_start(tmp_path: Path) -> None:
    file = tmp_path / PROVENANCE_FILE
    for seed in (1, 2):
        write_provenance(file, collect_provenance(seed=seed, data={"train": "abc"}))
    starts = json.loads(file.read_text())["starts"]
    assert [start["seed"] for start in starts] == [1, 2]
    assert {"command", "versions", "git", "hardware", "data", "started"} <= starts[0].keys()
    assert "torch" in starts[0]["versions"]
    assert starts[0]["git"] is None or len(starts[0]["git"]["commit"]) == 40
