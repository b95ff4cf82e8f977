from __future__ import annotations

import csv
import json
import signal
import time
from pathlib import Path

import pytest
import torch

from tests.engine.tiny_task import (
    CPU,
    TinyLoader,
    differences,
    stopped_at,
    tiny_config,
    tiny_task,
    train,
    with_schedule,
)
from yolor_gp.engine.budget import step_seconds
from yolor_gp.engine.checkpoints.checkpoint import read_checkpoint, read_newest_whole
from yolor_gp.engine.distributed.context import DistributedContext
from yolor_gp.engine.precision import Precision
from yolor_gp.engine.trainer import EXIT_NOT_FINITE
from yolor_gp.errors import UserError


def last(folder: Path) -> dict[str, object]:
    return read_checkpoint(folder / "weights" / "last.pt")


def test_twice_the_same_seed_is_bit_identical(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert train(tmp_path / name, tiny_config()).exit_code == 0
    assert differences(last(tmp_path / "a"), last(tmp_path / "b")) == []


def test_updates_follow_the_accumulation(tmp_path: Path) -> None:
    train(tmp_path, tiny_config(epochs=2))
    # Accumulation 1 + p / 6 rounds to 1 before batch 3, then is 2: batches of the first epoch are
    # stepped as 1 1 1 2 and a rest of 1, those of the second as 2 2 2.
    assert last(tmp_path)["progress"]["updates"] == 5 + 3


@pytest.mark.parametrize(("epoch", "step"), [(0, 5), (1, 0), (1, 2), (2, 3)])
def test_stopped_and_resumed_is_bit_identical(tmp_path: Path, epoch: int, step: int) -> None:
    config = tiny_config(epochs=3)
    train(tmp_path / "whole", config)
    task = stopped_at(tiny_task(DistributedContext()), epoch, step)
    outcome = train(tmp_path / "cut", config, task)
    assert outcome.exit_code == 143
    state = last(tmp_path / "cut")
    torch.rand(7)  # other random numbers must not matter
    assert train(tmp_path / "cut", config, resumed=state).exit_code == 0
    assert differences(last(tmp_path / "whole"), last(tmp_path / "cut")) == []
    tables = [(tmp_path / name / "metrics.csv").read_text() for name in ("whole", "cut")]
    assert tables[0] == tables[1]


def test_checkpoint_within_an_epoch_is_at_a_step_boundary(tmp_path: Path) -> None:
    config = tiny_config(epochs=3)
    train(tmp_path / "whole", config)
    task = tiny_task(DistributedContext())
    assert isinstance(task.loader, TinyLoader)

    def fail(epoch: int, step: int) -> None:
        if (epoch, step) == (1, 5):  # the second batch of a step of two
            raise KeyError("power cut")

    task.loader.on_batch = fail
    with pytest.raises(KeyError, match="power cut"):
        train(tmp_path / "cut", config.model_copy(update={"save_every": 1}), task)
    state = last(tmp_path / "cut")
    assert (state["progress"]["epoch"], state["progress"]["step"]) == (1, 4)
    train(tmp_path / "cut", config, resumed=state)
    assert differences(last(tmp_path / "whole"), last(tmp_path / "cut")) == []


def test_signal_ends_with_its_code(tmp_path: Path) -> None:
    task = stopped_at(tiny_task(DistributedContext()), 0, 0, signal.SIGINT)
    outcome = train(tmp_path, tiny_config(), task)
    assert outcome.exit_code == 130
    assert "--resume" in outcome.message
    assert last(tmp_path)["progress"]["step"] == 1


def test_non_finite_step_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tiny_config(epochs=1)
    config = config.model_copy(
        update={"recipe": config.recipe.model_copy(
            update={"optimizer": config.recipe.optimizer.model_copy(update={"nominal_batch": 4})}
        )}
    )  # fmt: skip
    task = tiny_task(DistributedContext(), poison=frozenset({2}))
    assert train(tmp_path, config, task).exit_code == 0
    state = last(tmp_path)
    assert state["progress"]["skipped"] == 1 and state["progress"]["updates"] == 5
    assert state["average"]["updates"] == 5
    for part in (state["network"], state["average"]["network"]):
        assert all(t.isfinite().all() for t in part.values())
    # Five good batches counted, the poisoned one undone.
    assert state["network"]["1.num_batches_tracked"] == 5
    said = capsys.readouterr().err
    assert "epoch0/image8.jpg" in said and "epoch0/image12.jpg" not in said


def test_too_many_non_finite_steps_end_training(tmp_path: Path) -> None:
    task = tiny_task(DistributedContext(), poison=frozenset(range(3, 12)))
    outcome = train(tmp_path, tiny_config(skip_limit=2), task)
    assert outcome.exit_code == EXIT_NOT_FINITE
    record = json.loads((tmp_path / "weights" / "not_finite.json").read_text())
    assert "epoch0/image20.jpg" in record["images_by_process"][0]
    assert last(tmp_path)["progress"]["skipped_in_row"] == 2


def test_best_weights_and_early_stop(tmp_path: Path) -> None:
    task = tiny_task(DistributedContext(), scores=[0.1, 0.5, 0.4, 0.5, 0.3, 0.9])
    config = with_schedule(tiny_config(epochs=6), patience=3)
    outcome = train(tmp_path, config, task)
    assert outcome.exit_code == 0 and "no better score for 3 epochs" in outcome.message
    assert read_checkpoint(tmp_path / "weights" / "best.pt")["epoch"] == 2
    progress = last(tmp_path)["progress"]
    assert progress["finished"] and progress["epoch"] == 5


def test_epochs_that_find_nothing_are_not_waited_for(tmp_path: Path) -> None:
    task = tiny_task(DistributedContext(), scores=[0.0, 0.0, 0.0, 0.0])
    train(tmp_path, with_schedule(tiny_config(epochs=4), patience=2), task)
    assert read_checkpoint(tmp_path / "weights" / "best.pt")["epoch"] == 4


def test_validation_is_rare(tmp_path: Path) -> None:
    config = tiny_config(epochs=5)
    recipe = config.recipe
    rare = recipe.model_copy(
        update={"validation": recipe.validation.model_copy(update={"every": 2})}
    )
    task = tiny_task(DistributedContext())
    train(tmp_path, config.model_copy(update={"recipe": rare}), task)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").read_text().splitlines()))
    assert [row["val/weight"] for row in rows] == ["", "1", "", "1", "1"]


def test_a_damaged_last_gives_way_to_the_one_before(tmp_path: Path) -> None:
    train(tmp_path, tiny_config(epochs=2))
    file = tmp_path / "weights" / "last.pt"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(bytes(content))
    state, used, problems = read_newest_whole(file)
    assert used.name == "last.previous.pt" and len(problems) == 1
    assert state["progress"]["epoch"] == 1
    used.unlink()
    with pytest.raises(UserError, match=r"last\.pt"):
        read_newest_whole(file)


def test_a_step_is_measured_also_where_an_epoch_is_one() -> None:
    """For `--time`."""
    task = tiny_task(DistributedContext(), steps=1)
    assert isinstance(task.loader, TinyLoader)
    task.loader.on_batch = lambda epoch, step: time.sleep(0.01)
    assert step_seconds(task, Precision("float32", "cpu"), CPU) >= 0.01
    assert len(task.loader.epochs) == 5
