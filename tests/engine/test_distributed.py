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
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from tests.engine.process_program import figures, trained_weights
from yolor_gp.engine.checkpoints.checkpoint import read_checkpoint
from yolor_gp.engine.distributed.context import (
    CollectiveError,
    DistributedContext,
    per_rank_batch_size,
)
from yolor_gp.errors import EXIT_LOST_PEER, LostPeerError, UserError

HERE = Path(__file__).resolve().parent


def test_the_global_batch_must_divide() -> None:
    assert per_rank_batch_size(16, DistributedContext(size=4)) == 4
    with pytest.raises(UserError, match="use 12 or 16"):
        per_rank_batch_size(14, DistributedContext(size=4))


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
    one = trained_weights(DistributedContext(), tmp_path)
    assert both.keys() == one.keys()
    for name, tensor in one.items():
        assert torch.allclose(both[name], tensor, rtol=0, atol=1e-6), name


@pytest.mark.ddp
def test_sharded_figures_are_exactly_those_of_one(two_processes: TwoProcesses) -> None:
    one = figures(DistributedContext())
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


class _Watcher:
    """Stands where the heartbeat does, with what it has found out."""

    interval = 0.0

    def __init__(self, message: str | None) -> None:
        self.message = message

    def explain(self, patience: float) -> str | None:
        return self.message


def test_words_do_not_make_a_lost_process() -> None:
    context = DistributedContext(heartbeat=_Watcher("rank 1 is gone"))  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="Socket closed"), context.peers_named():
        raise RuntimeError("Socket closed: Timed out, says the user's own code")
    with pytest.raises(LostPeerError, match="rank 1 is gone"), context.peers_named():
        raise CollectiveError("anything")
    with pytest.raises(LostPeerError, match="rank 1 is gone"), context.peers_named():
        raise dist.DistNetworkError("anything")


@pytest.mark.ddp
def test_a_fault_in_the_backward_pass_is_told_from_a_lost_process(tmp_path: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        wrapped = DistributedDataParallel(nn.Linear(1, 1))
        for message, expected in ((None, RuntimeError), ("rank 1 is gone", LostPeerError)):
            context = DistributedContext(heartbeat=_Watcher(message))  # type: ignore[arg-type]
            with pytest.raises(expected), context.backward(wrapped, exchange=True):
                raise RuntimeError("Connection closed by peer")
    finally:
        dist.destroy_process_group()
