"""Two network namespaces joined by a virtual cable are two machines to torchrun."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.engine.process_program import trained_weights
from yolor_gp.engine.checkpoints.checkpoint import read_checkpoint
from yolor_gp.engine.distributed.context import DistributedContext

HERE = Path(__file__).resolve().parent
NAMES = (f"yolorgp{os.getpid()}a", f"yolorgp{os.getpid()}b")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def machines() -> Iterator[tuple[str, str]]:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and the program 'ip'")
    made: list[str] = []
    try:
        try:
            for name in NAMES:
                ip("netns", "add", name)
                made.append(name)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"network namespaces cannot be made here: {error.stderr.decode().strip()}")
        ends = [
            part
            for number, name in enumerate(NAMES)
            for part in (["type", "veth", "peer"] if number else []) + ["name", f"v{number}"]
            + ["netns", name]
        ]  # fmt: skip
        ip("link", "add", *ends)
        for number, name in enumerate(NAMES):
            ip("-n", name, "addr", "add", f"10.77.0.{number + 1}/24", "dev", f"v{number}")
            for device in (f"v{number}", "lo"):
                ip("-n", name, "link", "set", device, "up")
        yield NAMES
    finally:
        for name in made:
            ip("netns", "del", name)


@pytest.mark.slow
@pytest.mark.ddp
def test_two_machines_learn_what_one_learns(machines: tuple[str, str], tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2"]
    rendezvous = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "10.77.0.1:29511", "--rdzv-id", "t"]
    processes = [
        subprocess.Popen(
            ["ip", "netns", "exec", name, *torchrun, *rendezvous,
             "--rdzv-conf", f"is_host={1 - number}", "--local-addr", f"10.77.0.{number + 1}",
             str(HERE / "process_program.py"), str(tmp_path), "train"],
            env={**os.environ, "GLOO_SOCKET_IFNAME": f"v{number}", "OMP_NUM_THREADS": "1",
                 "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parents[1]}"},
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )
        for number, name in enumerate(machines)
    ]  # fmt: skip
    errors = [process.communicate(timeout=240)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    both = read_checkpoint(tmp_path / "two" / "weights" / "last.pt")["network"]
    for name, tensor in trained_weights(DistributedContext(), tmp_path / "one").items():
        assert torch.allclose(both[name], tensor, rtol=0, atol=1e-6), name
