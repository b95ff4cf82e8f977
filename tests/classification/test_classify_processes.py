"""Two processes classify as one; a training that is killed and resumed is one that was not."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.classification.labelled import write_folders, write_model
from tests.engine.tiny_task import differences
from yolor_gp.commands import classify
from yolor_gp.engine.checkpoints.checkpoint import read_checkpoint

PROGRAM = str(Path(__file__).with_name("run_process.py"))
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1",
               "PYTHONPATH": str(Path(__file__).resolve().parents[2])}  # fmt: skip

PLAIN = """
nc: 3
backbone:
- {block: Conv, out_channels: 8, kernel: 3, stride: 2, norm: false}
- {block: Conv, out_channels: 9, kernel: 3, stride: 2, norm: false}
head:
- {block: Classifier, num_classes: nc}
"""


def flags(root: Path, model: str, name: str, *more: str) -> list[str]:
    return [
        "train", "--cfg", model, "--data", str(root / "data"), "--img", "32", "--batch-size", "6",
        "--epochs", "2", "--workers", "1", "--precision", "float32", "--device", "cpu", "--log",
        "csv", "--project", str(root / "runs"), "--name", name,
        "--set", "optimizer.nominal_batch=6", *more,
    ]  # fmt: skip


@pytest.mark.ddp
def test_two_processes_classify_as_one(tmp_path: Path) -> None:
    """Without batch statistics, which are each process's own, the numbers are the same."""
    write_folders(tmp_path / "data")
    plain = tmp_path / "plain.yaml"
    plain.write_text(PLAIN)
    augment = "augment.rand_operations=1"
    assert classify.main(flags(tmp_path, str(plain), "one", augment)) == 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {**ENVIRONMENT, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    shared["MASTER_PORT"] = str(port)
    processes = [
        subprocess.Popen(
            [sys.executable, PROGRAM, *flags(tmp_path, str(plain), "two", augment)],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}, stdout=subprocess.DEVNULL,
        )
        for rank in range(2)
    ]  # fmt: skip
    assert [process.wait(240) for process in processes] == [0, 0]
    one, two = (
        read_checkpoint(tmp_path / "runs" / name / "weights" / "last.pt") for name in ("one", "two")
    )
    for name, tensor in one["network"].items():
        assert torch.allclose(tensor, two["network"][name], rtol=0, atol=1e-6), name
    rows = [state["progress"]["history"] for state in (one, two)]
    for first, second in zip(*rows, strict=True):
        for figure in ("val/top-1", "val/top-5", "val/loss", "train/cross_entropy"):
            assert first[figure] == pytest.approx(second[figure], abs=1e-6), figure


@pytest.mark.slow
def test_killed_and_resumed_is_never_killed(tmp_path: Path) -> None:
    write_folders(tmp_path / "data", train=60)
    more = ("augment.mixup=0.4", "--save-every", "1")
    words = flags(tmp_path, write_model(tmp_path), "whole", *more)
    assert classify.main(words) == 0
    words[words.index("whole")] = "killed"
    process = subprocess.Popen(
        [sys.executable, PROGRAM, *words], env=ENVIRONMENT, stdout=subprocess.DEVNULL
    )
    last = tmp_path / "runs" / "killed" / "weights" / "last.pt"
    while not last.exists():
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not read_checkpoint(last)["progress"]["finished"]
    assert classify.main(["train", "--resume", str(last.parents[1])]) == 0
    whole = read_checkpoint(tmp_path / "runs" / "whole" / "weights" / "last.pt")
    assert not differences(whole, read_checkpoint(last))
