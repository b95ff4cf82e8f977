"""`--log-gradients`: what a training measures beside its loss."""

from __future__ import annotations

import json
from pathlib import Path

from tests.engine.tiny_task import differences, stopped_at, tiny_config, tiny_task, train
from yolor_gp.analysis.gradient_flow import load_gradients
from yolor_gp.commands.train import requested
from yolor_gp.engine.checkpoints.checkpoint import read_checkpoint
from yolor_gp.engine.distributed.context import DistributedContext


def test_gradients_of_every_applied_step_are_added_up(tmp_path: Path) -> None:
    # Epoch 1 has 5 steps; the second batch is not finite, so that its step is left out.
    task = tiny_task(DistributedContext(), poison=frozenset({1}))
    train(tmp_path, tiny_config(epochs=1, log_gradients=True), task)
    means = load_gradients(tmp_path / "gradients.json")
    assert {name: len(values) for name, values in means.items()} == {"0": 4, "6": 1}
    assert all(value > 0 for values in means.values() for value in values)
    content = json.loads((tmp_path / "gradients.json").read_text(encoding="utf-8"))
    state = read_checkpoint(tmp_path / "weights" / "last.pt")
    assert content["updates"] == state["progress"]["updates"] == 4


def test_measuring_changes_nothing(tmp_path: Path) -> None:
    train(tmp_path / "plain", tiny_config())
    train(tmp_path / "measured", tiny_config(log_gradients=True))
    states = [
        read_checkpoint(tmp_path / name / "weights" / "last.pt") for name in ("plain", "measured")
    ]
    assert [d for d in differences(*states) if "gradients" not in d] == []  # type: ignore[arg-type]
    assert not (tmp_path / "plain" / "gradients.json").exists()


def test_a_resumed_training_goes_on_adding(tmp_path: Path) -> None:
    config = tiny_config(epochs=2, log_gradients=True, save_every=2)
    train(tmp_path / "whole", config)
    task = stopped_at(tiny_task(DistributedContext()), 1, 2)
    assert train(tmp_path / "cut", config, task).exit_code == 143
    train(tmp_path / "cut", config, resumed=read_checkpoint(tmp_path / "cut/weights/last.pt"))
    whole, cut = ((tmp_path / name / "gradients.json").read_text() for name in ("whole", "cut"))
    assert whole == cut


def test_the_flag() -> None:
    assert requested(["--log-gradients"]).given == {"log_gradients": True}
