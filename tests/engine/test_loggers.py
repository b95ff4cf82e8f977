"""Loggers: csv and TensorBoard, wandb and mlflow without a server, and other people's."""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import yolor_gp
from tests.tiny_network import TINY
from yolor_gp import UserError
from yolor_gp.engine import loggers
from yolor_gp.engine.loggers import LoggedRun, RunLog, check_loggers, register_logger
from yolor_gp.engine.task import Picture

HISTORY = [
    {"epoch": 1.0, "train/box": 0.5, "skipped": 0.0},
    {"epoch": 2.0, "train/box": 0.25, "val/box AP": 0.125, "skipped": 1.0},
]
PICTURE = np.zeros((8, 12, 3), np.uint8)


class Recorder:
    """Remembers what it is told."""

    def __init__(self, run: LoggedRun) -> None:
        self.run, self.told = run, list[Any]()
        recorders.append(self)

    def epoch(self, number: int, figures: Mapping[str, float]) -> None:
        self.told.append((number, dict(figures)))

    def picture(self, name: str, picture: Picture, epoch: int) -> None:
        self.told.append((name, picture.shape))

    def close(self) -> None:
        self.told.append("closed")


class Broken(Recorder):
    """Loses its connection at the second epoch."""

    def epoch(self, number: int, figures: Mapping[str, float]) -> None:
        if number == 2:
            raise ConnectionError("no route to host")
        super().epoch(number, figures)


recorders: list[Recorder] = []


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loggers._openers, "parts", dict(loggers._openers.parts))
    register_logger("recorder")(Recorder)
    register_logger("broken")(Broken)
    recorders.clear()


def test_a_run_tells_its_loggers(tmp_path: Path) -> None:
    (tmp_path / "few.yaml").write_text(
        f"path: {tmp_path / 'few'}\nshapes: {{train: 8, val: 4, size: 64, max_objects: 3}}\n"
    )
    run = yolor_gp.load(TINY, device="cpu").train(
        tmp_path / "few.yaml", img=64, batch_size=4, epochs=2, workers=0, hyp="demo",
        project=tmp_path, log="recorder",
    )  # fmt: skip
    (recorder,) = recorders
    assert recorder.run.folder == run.folder
    assert recorder.run.config["recipe"]["schedule"]["epochs"] == 2
    epochs = [told for told in recorder.told if isinstance(told[0], int)]
    assert [number for number, _ in epochs] == [1, 2]
    rows = [*csv.DictReader((run.folder / "metrics.csv").read_text().splitlines())]
    for (_, figures), row in zip(epochs, rows, strict=True):
        for name, value in figures.items():
            assert float(row[name]) == pytest.approx(value, rel=1e-5)
    shapes = {told[0]: told[1] for told in recorder.told if "_batch" in str(told[0])}
    assert {"train_batch0", "val_batch0"} <= shapes.keys()
    assert all(len(shape) == 3 and shape[2] == 3 for shape in shapes.values())
    assert recorder.told[-1] == "closed"
    assert not [*run.folder.glob("events.*")]


def test_a_logger_that_fails_ends_and_the_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = RunLog(LoggedRun(tmp_path, {}), ["broken", "recorder"])
    with caplog.at_level(logging.WARNING):
        log.epoch(HISTORY[:1])
        log.epoch(HISTORY)
        log.close()
    broken, recorder = recorders
    assert [told[0] for told in broken.told] == [1]
    assert [told[0] for told in recorder.told] == [1, 2, "c"]
    assert caplog.text.count("--log broken: no route to host; the run goes on without it") == 1


def test_names_are_checked() -> None:
    with pytest.raises(UserError, match=r"--log tensorbord: .*; did you mean 'tensorboard'"):
        check_loggers(["csv", "tensorbord"])
    with pytest.raises(ValueError, match="registered twice"):
        register_logger("wandb")(Recorder)
    with pytest.raises(UserError, match="unknown logger"):
        yolor_gp.load(TINY, device="cpu").train("shapes", img=64, log=["tensorbord"])


def test_missing_packages_are_told_before_the_data_are_read() -> None:
    class Needy(Recorder):
        package = "no_such_package_here"

    register_logger("needy")(Needy)
    with pytest.raises(UserError, match=r"--log needy: the package is not installed; pip install"):
        yolor_gp.load(TINY, device="cpu").train("no-such-data.yaml", img=64, log="needy")


def test_wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed (an extra)")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    identities = set()
    for resumed_at in (None, 1):
        log = RunLog(LoggedRun(tmp_path, {"recipe": {"a": 1}}, resumed_at), ["wandb"])
        log.epoch(HISTORY)
        log.picture("val_predictions", PICTURE, 1)
        log.close()
        assert "wandb" in log._loggers
        identities.add((tmp_path / "wandb.id").read_text())
    assert len(identities) == 1
    runs = [*(tmp_path / "wandb").glob("offline-run-*")]
    assert runs
    assert all(run.name.endswith(identities.copy().pop()) for run in runs)


def test_mlflow_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed (an extra)")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())
    for resumed_at in (None, 1):
        config = {"recipe": {"schedule": {"epochs": 2}}}
        log = RunLog(LoggedRun(tmp_path, config, resumed_at), ["mlflow"])
        log.epoch(HISTORY)
        log.close()
        assert "mlflow" in log._loggers
    run = mlflow.MlflowClient().get_run((tmp_path / "mlflow.id").read_text())
    assert run.data.metrics["val/box AP"] == 0.125
    assert run.data.params["recipe.schedule.epochs"] == "2"
    assert run.info.status == "FINISHED"
