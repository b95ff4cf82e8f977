"""What the terminal says of training."""

from __future__ import annotations

import io
import logging
import sys
from pathlib import Path

import pytest
import torch

from yolor_gp.engine.checkpoints.progress import Progress
from yolor_gp.engine.loggers import LoggedRun, RunLog
from yolor_gp.engine.report import TerminalReport
from yolor_gp.engine.step import StepReport
from yolor_gp.engine.task import Evaluation


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_figures_are_shown_of_the_epoch_that_was_validated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    log = RunLog(LoggedRun(tmp_path, {}), [])
    report = TerminalReport(tmp_path, log, epochs=3, steps=4)
    progress = Progress()
    step = StepReport({"box": 0.5}, 1, 1.0, True, False, (), {})
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    for evaluation in (Evaluation(0.2, {"box AP": 0.2}), None):
        progress.add({"box": 0.5}, 1)
        progress.step = 1
        report.batch(progress, step, optimizer)
        progress.end_epoch({"epoch": progress.epoch + 1, "train/box": 0.5})
        report.epoch(progress, evaluation)
    report.close()
    first, second = caplog.messages
    assert first.startswith("epoch 1/3: box 0.5, box AP 0.2000, ")
    assert second.startswith("epoch 2/3: box 0.5, ") and "box AP" not in second
    assert "box AP 0.2000 after epoch 1" in terminal.getvalue()  # of the bar of the second
