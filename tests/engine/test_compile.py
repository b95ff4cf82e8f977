from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from tests.engine.tiny_task import tiny_config, tiny_task, train
from yolor_gp.engine.checkpoints.checkpoint import read_checkpoint
from yolor_gp.engine.distributed.context import DistributedContext


@pytest.mark.slow
def test_compiled_training_learns_the_same(tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("torch.compile on a CPU needs a C++ compiler")
    for name in ("plain", "compiled"):
        task = tiny_task(DistributedContext(), normalised=False)
        train(tmp_path / name, tiny_config(epochs=1, compile=name == "compiled"), task)
    plain, compiled = (
        read_checkpoint(tmp_path / name / "weights" / "last.pt")["network"]
        for name in ("plain", "compiled")
    )
    assert plain.keys() == compiled.keys()
    for name, tensor in plain.items():
        assert torch.allclose(compiled[name], tensor, atol=1e-5), name
