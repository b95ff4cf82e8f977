"""kill -9 at a moment that the program does not choose, then resume: nothing may differ."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.engine.tiny_task import differences, stopped_at, tiny_config, tiny_task, train
from yolor_gp.engine.checkpoints.checkpoint import read_checkpoint, read_newest_whole
from yolor_gp.engine.distributed.context import DistributedContext

HERE = Path(__file__).resolve().parent

PROGRAM = """
import sys, time
from pathlib import Path
from tests.engine.tiny_task import DistributedContext, tiny_config, tiny_task, train
task = tiny_task(DistributedContext())
task.loader.on_batch = lambda epoch, step: time.sleep(0.02)
train(Path(sys.argv[1]), tiny_config(epochs=100, save_every=1), task)
"""


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.31, 0.57, 0.83])
def test_killed_and_resumed_is_bit_identical(tmp_path: Path, delay: float) -> None:
    cut = tmp_path / "cut"
    environment = {**os.environ, "OMP_NUM_THREADS": "1",
                   "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parents[1]}"}  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(cut)], env=environment, stdout=subprocess.DEVNULL
    )
    file = cut / "weights" / "last.pt"
    deadline = time.monotonic() + 60
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    state, _, problems = read_newest_whole(file)
    assert problems == []
    # The rest of the epoch it was in and one more, against the same without interruption.
    epochs = state["progress"]["epoch"] + 2
    for name, resumed in (("whole", None), ("cut", state)):
        task = stopped_at(tiny_task(DistributedContext()), epochs, 0)
        config = tiny_config(epochs=100, save_every=1)
        assert train(tmp_path / name, config, task, resumed=resumed).exit_code == 143
    both = [read_checkpoint(tmp_path / name / "weights" / "last.pt") for name in ("whole", "cut")]
    assert differences(*both) == []  # type: ignore[arg-type]
