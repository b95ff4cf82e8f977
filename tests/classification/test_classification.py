"""Training, evaluating and using a classifier, by its commands and from Python."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch

import yolor_gp
from tests.classification.labelled import COLOURS, QUICK, picture, write_folders, write_model
from tests.engine.tiny_task import differences
from yolor_gp.classification import task as classification_task_module
from yolor_gp.classification.batches import TrainBatches
from yolor_gp.classification.evaluate import Accuracy
from yolor_gp.classification.requests import request_of, train
from yolor_gp.classifier import ClassifierRun
from yolor_gp.commands import classify
from yolor_gp.config.classification_config import load_classification_recipe
from yolor_gp.config.shipped import shipped_files
from yolor_gp.config.train_config import ScheduleConfig
from yolor_gp.engine.checkpoints.checkpoint import read_checkpoint
from yolor_gp.engine.requests import RunFlags
from yolor_gp.engine.schedule import decay_factor
from yolor_gp.errors import UserError
from yolor_gp.flags.classify import train_parser


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folders(tmp_path_factory.mktemp("labelled"))


@pytest.fixture(scope="module")
def run(root: Path) -> ClassifierRun:
    """Long enough to tell three colours."""
    flags = {**QUICK, "cfg": write_model(root), "data": str(root), "epochs": 20}
    flags["project"] = root / "runs"
    flags["set"] = ["ema.decay=0.5", "optimizer.nominal_batch=6", "validation.every=10"]
    return ClassifierRun.of(train(request_of(flags)))


def test_three_colours_are_told(run: ClassifierRun, root: Path) -> None:
    assert run.exit_code == 0 and run.figures["top-1"] == 1
    model = run.model
    assert model.names == tuple(COLOURS) and model.image_size == 32
    assert model.val(root, workers=0).top1 == 1
    result = model(picture(COLOURS["green"], 900))
    assert result.name == "green" and result.score == pytest.approx(result.scores.max())
    assert result.top(2)[0] == ("green", result.score) and sum(result.scores) == pytest.approx(1)
    assert {"train/cross_entropy", "val/top-1", "val/top-5", "val/loss"} <= run.history[-1].keys()


def test_load_gives_a_classifier(run: ClassifierRun, tmp_path: Path) -> None:
    loaded: Any = yolor_gp.load(run.folder, device="cpu")
    assert isinstance(loaded, yolor_gp.Classifier)
    again = yolor_gp.load_classifier(loaded.save(tmp_path / "w.safetensors"), device="cpu")
    image = picture(COLOURS["red"], 3)
    assert again(image, img=32).scores.tolist() == loaded(image, img=32).scores.tolist()
    with pytest.raises(UserError, match="a detector; expected a network that ends in a Classifier"):
        yolor_gp.load_classifier("yolor-elan-n", device="cpu")
    assert "3 classes" in repr(loaded) and loaded.summary().params > 0


def test_the_commands_do_the_same(
    run: ClassifierRun, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures, answers = tmp_path / "figures.json", tmp_path / "answers.json"
    words = ["--weights", str(run.folder), "--device", "cpu"]
    val = [*words, "--data", str(root), "--workers", "0", "--metrics-json", str(figures)]
    val += ["--save-json", str(answers)]
    assert classify.main(["val", *val]) == 0
    assert "top-1 100.00%, top-5 100.00%" in capsys.readouterr().out
    written = json.loads(figures.read_text())
    assert written["images"] == 12 and written["confusion"] == [[4, 0, 0], [0, 4, 0], [0, 0, 4]]
    rows = json.loads(answers.read_text())
    assert [Path(row["image"]).parent.name for row in rows] == [row["label"] for row in rows]
    assert len(rows) == 12 and all(row["predicted"] == row["label"] for row in rows)
    table, listed = tmp_path / "t.csv", tmp_path / "l.json"
    source = str(root / "val" / "blue")
    save = ["--save-csv", str(table), "--save-json", str(listed)]
    assert classify.main(["predict", *words, "--source", source, "--top", "2", *save]) == 0
    assert f"{root / 'val' / 'blue' / '0.png'}: blue " in capsys.readouterr().out
    with table.open() as text:
        assert [row["name"] for row in csv.DictReader(text)] == ["blue"] * 4
    assert len(json.loads(listed.read_text())[0]["classes"]) == 2


def test_a_stopped_run_goes_on_bit_for_bit(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With dropout, mixing and an average: all that draws random numbers or has a state."""
    flags = {**QUICK, "cfg": write_model(root), "data": str(root), "epochs": 2, "save_every": 1}
    flags["set"] = ["augment.mixup=0.4", "augment.cutmix=1", "augment.rand_operations=1"]
    flags["set"] += ["optimizer.nominal_batch=6"]
    whole = train(request_of({**flags, "project": tmp_path, "name": "whole"}))

    class Stopping(TrainBatches):
        def epoch(self, epoch: int, start_step: int = 0) -> Any:
            for step, batch in enumerate(super().epoch(epoch, start_step), start_step):
                if (epoch, step) == (1, 2):
                    raise InterruptedError
                yield batch

    with monkeypatch.context() as patch:
        patch.setattr(classification_task_module, "TrainBatches", Stopping)
        with pytest.raises(InterruptedError):
            train(request_of({**flags, "project": tmp_path, "name": "cut"}))
    assert read_checkpoint(tmp_path / "cut" / "weights" / "last.pt")["progress"]["step"] == 2
    yolor_gp.resume_classifier(tmp_path / "cut")
    first, second = (
        read_checkpoint(folder / "weights" / "last.pt")
        for folder in (whole.folder, tmp_path / "cut")
    )
    assert not differences(first, second)


def test_detectors_and_classifiers_do_not_resume_each_other(
    root: Path, tmp_path: Path, run: ClassifierRun
) -> None:
    last = run.folder / "weights" / "last.previous.pt"
    unfinished = tmp_path / "exp" / "weights" / "last.pt"
    unfinished.parent.mkdir(parents=True)
    unfinished.write_bytes(last.read_bytes())
    with pytest.raises(UserError, match="is of another program"):
        yolor_gp.resume(unfinished)


def test_fine_tuning_keeps_what_fits(run: ClassifierRun, root: Path, tmp_path: Path) -> None:
    other = write_folders(tmp_path / "other")
    (other / "train" / "red").rename(other / "train" / "crimson")
    (other / "val" / "red").rename(other / "val" / "crimson")
    for split in ("train", "val"):
        folder = other / split / "violet"
        folder.mkdir()
        (folder / "0.png").write_bytes((other / split / "blue" / "1.png").read_bytes())
    flags = {
        **QUICK,
        "weights": str(run.folder),
        "data": str(other),
        "epochs": 1,
        "project": tmp_path,
    }
    tuned = ClassifierRun.of(train(request_of({**flags, "set": ["optimizer.learning_rate=1e-9"]})))
    assert tuned.model.names == ("blue", "crimson", "green", "violet")
    before: Any = run.model.network
    after: Any = tuned.model.network
    for old, new in ((before.layers[0], after.layers[0]), (before.layers[2], after.layers[2])):
        assert torch.allclose(old.conv.weight, new.conv.weight)
    assert torch.allclose(before.head.conv.weight[:2], after.head.conv.weight[[0, 2]])


def test_frozen_layers_stay_and_time_decides_the_epochs(
    run: ClassifierRun, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = {**QUICK, "weights": str(run.folder), "data": str(root), "project": tmp_path}
    tuned = ClassifierRun.of(train(request_of({**flags, "freeze": "backbone", "time": "0.5s"})))
    assert "epochs fit into 0 s" in capsys.readouterr().out and tuned.history
    before: Any = run.model.network
    after: Any = load_last(tuned).network
    for old, new in zip(before.layers.parameters(), after.layers.parameters(), strict=True):
        assert torch.equal(old, new)
    assert not torch.equal(before.head.conv.weight, after.head.conv.weight)
    with pytest.raises(UserError, match="--freeze boxes"):
        train(request_of({**flags, "freeze": "boxes"}))


def load_last(run: ClassifierRun) -> yolor_gp.Classifier:
    return yolor_gp.load_classifier(run.folder / "weights" / "last.pt", device="cpu")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({}, "neither --cfg nor --weights"),
        ({"cfg": "yolor-elan-n"}, "a detector; expected"),
        ({"cfg": "resnet50", "data": "nowhere"}, "no such folder"),
        ({"cfg": "resnet50", "hyp": "demo"}, "unknown key"),
        ({"cfg": "resnet50", "set": ["augment.mixup=-1"]}, "greater than or equal to 0"),
        ({"cfg": "resnet50", "batch_size": 1}, "one image is too little"),
        ({"cfg": "resnet50", "mosaic": 1}, "unknown argument 'mosaic'"),
    ],
)
def test_wrong_flags_are_told(
    flags: dict[str, Any], message: str, root: Path, tmp_path: Path
) -> None:
    given = {**QUICK, "data": str(root), "project": tmp_path / "runs", **flags}
    with pytest.raises(UserError, match=message):
        train(request_of(given))
    assert not [*tmp_path.glob("runs/*")]


def test_wrong_words_are_told() -> None:
    for words, message in (
        (["trian"], "did you mean 'train'"),
        (["val", "--weights", "none.pt", "--data", "."], "no such weights"),
        (["predict", "--weights", "none.pt", "--source", "nowhere"], "nowhere"),
        (["train", "--batch", "many"], "found 'many'"),
    ):
        with pytest.raises(UserError, match=message):
            classify.main(words)


def test_classes_that_differ_are_told(run: ClassifierRun, tmp_path: Path) -> None:
    other = write_folders(tmp_path)
    for split in ("train", "val"):
        (other / split / "red").rename(other / split / "pink")
    with pytest.raises(UserError, match=r"3 classes \(blue, green, pink, ...\), but"):
        run.model.val(other)


def test_python_takes_every_flag_of_the_command() -> None:
    known = {option for action in train_parser()._actions for option in action.option_strings}
    assert {f"--{name.replace('_', '-')}" for name in RunFlags.__annotations__} <= known


def test_figures_of_an_evaluation() -> None:
    confusion = torch.tensor([[3, 1, 0], [0, 2, 0], [0, 0, 0]]).numpy()
    found = Accuracy(("cat", "dog", "owl"), confusion, 6, 0.5)
    assert (found.images, found.top1, found.top5) == (6, 5 / 6, 1.0)
    assert found.per_class == {"cat": 0.75, "dog": 1.0, "owl": -1.0}
    assert "cat: 75.0%, most often taken for dog" in found.table() and "owl" not in found.table()


def test_recipes_of_classifiers_are_read() -> None:
    shipped = {file.stem for file in shipped_files("train")}
    assert {"classify", "flow", "flow-small", "imagenet"} <= shipped
    flow = load_classification_recipe("flow")
    rates = [0.1 * decay_factor(flow.schedule, epoch) for epoch in (0, 9, 10, 19, 20, 29)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    assert flow.schedule.epochs == 30 and flow.ema.decay == 0
    warm = {"warmup_epochs": 3.0, "warmup_min_steps": 0, "warmup_bias_lr": 0.0}
    small = load_classification_recipe("flow-small")
    assert small == flow.model_copy(update={"schedule": flow.schedule.model_copy(update=warm)})
    power = ScheduleConfig(epochs=10, shape="linear", power=4, final_fraction=0)
    assert decay_factor(power, 5) == pytest.approx(1 / 16)
    assert load_classification_recipe("imagenet").optimizer.nominal_batch == 128
