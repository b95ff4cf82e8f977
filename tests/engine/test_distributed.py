from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from process_program import figures, trained_weights

from yolor_gp.engine.checkpoints.checkpoint import read_checkpoint
from yolor_gp.engine.distributed.context import World, share_of
from yolor_gp.errors import EXIT_LOST_PEER, UserError

HERE = Path(__file__).resolve().parent


def test_the_global_batch_must_divide() -> None:
    assert share_of(16, World(size=4)) == 4
    with pytest.raises(UserError, match="use 12 or 16"):
        share_of(14, World(size=4))


@dataclass(frozen=True)
class TwoProcesses:
    folder: Path
    codes: list[int]
    errors: list[str]


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> TwoProcesses:
    """Runs process_program.py as rank 0 and rank 1 over gloo."""
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parents[1]}",
    }  # fmt: skip
    processes = [
        subprocess.Popen(
            [sys.executable, str(HERE / "process_program.py"), str(folder)],
            env={**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    errors = ["", processes[1].communicate(timeout=120)[1]]
    time.sleep(0.3)
    processes[0].terminate()  # as torchrun does when it sees that rank 1 is gone
    errors[0] = processes[0].communicate(timeout=120)[1]
    return TwoProcesses(folder, [process.returncode for process in processes], errors)


@pytest.mark.ddp
def test_two_processes_learn_what_one_learns(two_processes: TwoProcesses, tmp_path: Path) -> None:
    both = read_checkpoint(two_processes.folder / "two" / "weights" / "last.pt")["network"]
    one = trained_weights(World(), tmp_path)
    assert both.keys() == one.keys()
    for name, tensor in one.items():
        assert torch.allclose(both[name], tensor, rtol=0, atol=1e-6), name


@pytest.mark.ddp
def test_sharded_figures_are_exactly_those_of_one(two_processes: TwoProcesses) -> None:
    one = figures(World())
    assert 0.1 < one["bbox"]["AP"] < 1 and 0.1 < one["segm"]["AP"] < 1
    for rank in range(2):
        text = (two_processes.folder / f"figures{rank}.json").read_text()
        assert json.loads(text) == one


@pytest.mark.ddp
def test_the_dead_rank_is_named_in_time(two_processes: TwoProcesses) -> None:
    assert two_processes.codes == [EXIT_LOST_PEER, 9]
    said = two_processes.errors[0]
    assert re.search(r"rank 0: rank 1 of 2 \(host .*, process \d+\)", said), said
    assert "Traceback" not in said and "Warning" not in said, said
    assert float((two_processes.folder / "seconds.txt").read_text()) < 30
