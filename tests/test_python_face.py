"""The Python face: what a user's own program sees, with real networks, files and trainings."""

from __future__ import annotations

import json
import logging
import os
import re
import runpy
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import yolor_gp
from tests.tiny_network import TINY
from yolor_gp import UserError
from yolor_gp.commands import detect, train, val
from yolor_gp.config.data_config import load_data_config
from yolor_gp.data.datasets import open_dataset
from yolor_gp.detection.requests import TrainFlags, request_of
from yolor_gp.engine.checkpoints.checkpoint import read_checkpoint
from yolor_gp.flags.train import parser

ROOT = Path(__file__).resolve().parents[1]
QUICK: dict[str, Any] = {
    "hyp": "demo", "img": 64, "batch_size": 8, "epochs": 1, "workers": 0, "precision": "float32",
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small built-in data set."""
    folder = tmp_path_factory.mktemp("data")
    file = folder / "few.yaml"
    file.write_text(
        f"path: {folder / 'few'}\n"
        "shapes: {train: 16, val: 4, size: 64, max_objects: 3, seed: 3}\n"
    )
    return file


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> yolor_gp.TrainedRun:
    """A training of one epoch."""
    project = tmp_path_factory.mktemp("runs")
    return yolor_gp.load(TINY, device="cpu").train(data, **QUICK, project=project)


def test_an_input_that_is_not_square(data: Path, tmp_path: Path) -> None:
    """Said once, as width and height: trained, kept, validated, predicted and resumed with."""
    flags: dict[str, Any] = {**QUICK, "img": [96, 64], "project": tmp_path}
    run = yolor_gp.load(TINY, device="cpu").train(data, **flags)
    assert "image_size:\n- 96\n- 64\n" in (run.folder / "config.yaml").read_text()
    model = run.model
    assert model.image_size == (64, 96)
    assert model.val(data, workers=0) == model.val(data, img="96x64", workers=0)
    (result,) = model.predict(picture(), confidence=0.0)
    assert len(result) and result.boxes[:, 2].max() <= 64 and result.boxes[:, 3].max() <= 48


@pytest.fixture(scope="module")
def model() -> yolor_gp.Model:
    """A network with fresh weights, which finds much of nothing."""
    torch.manual_seed(0)
    return yolor_gp.load(TINY, device="cpu", classes=["cat", "dog"])


def picture(seed: int = 0) -> NDArray[np.uint8]:
    """u8[48, 64, 3]."""
    return np.random.default_rng(seed).integers(0, 255, (48, 64, 3), np.uint8)


def test_import_is_quick_and_changes_nothing() -> None:
    """What takes long to load waits: help for torch, a program for what it may not need."""
    program = """
import gc, importlib, logging, pkgutil, signal, sys
before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
import yolor_gp
import yolor_gp.flags
for module in pkgutil.iter_modules(yolor_gp.flags.__path__):
    importlib.import_module(f"yolor_gp.flags.{module.name}")
assert not {"torch", "cv2", "numpy", "pydantic", "yaml", "tqdm"} & set(sys.modules)
yolor_gp.load
import yolor_gp.commands.detect, yolor_gp.commands.train, yolor_gp.commands.val
slow = {"torchvision", "matplotlib", "scipy", "albumentations", "tensorboard", "torch._dynamo"}
assert not slow & set(sys.modules), slow & set(sys.modules)
import cv2, torch
level, threads = cv2.utils.logging.getLogLevel(), torch.get_num_threads()
assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
assert gc.isenabled() and not logging.getLogger().handlers
yolor_gp.load("yolor-elan-n", device="cpu")
assert (cv2.utils.logging.getLogLevel(), torch.get_num_threads()) == (level, threads)
assert level != cv2.utils.logging.LOG_LEVEL_SILENT
"""
    # Commands that other tests call in this process have silenced OpenCV for it and its children.
    own = {name: value for name, value in os.environ.items() if name != "OPENCV_LOG_LEVEL"}
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, env=own)


def test_every_kind_of_picture_gives_the_same(model: yolor_gp.Model, tmp_path: Path) -> None:
    rgb = picture()
    file = tmp_path / "a.png"
    cv2.imwrite(str(file), rgb[..., ::-1])
    tensor = torch.from_numpy(rgb).permute(2, 0, 1)
    expected = model(file, img=64, confidence=0.0)
    assert len(expected) > 10
    for source in (str(file), tmp_path, rgb, Image.fromarray(rgb), tensor, [rgb], iter([file])):
        found = model(source, img=64, confidence=0.0)
        np.testing.assert_array_equal(found.boxes, expected.boxes)
        np.testing.assert_array_equal(found.image, rgb)
    bgr = next(model.predict(rgb[..., ::-1], img=64, confidence=0.0, channels="bgr"))
    np.testing.assert_array_equal(bgr.boxes, expected.boxes)


def test_predict_is_lazy(model: yolor_gp.Model) -> None:
    taken = []

    def pictures() -> Any:
        for seed in range(100):
            taken.append(seed)
            yield picture(seed)

    results = model.predict(pictures(), img=64, batch=2)
    assert not taken
    next(results)
    assert len(taken) == 2


def test_result_in_every_form(model: yolor_gp.Model, tmp_path: Path) -> None:
    result = model(picture(), img=64, confidence=0.0, max_detections=7)
    assert len(result) == 7
    assert result.masks is not None
    assert result.boxes.shape == (7, 4)
    assert result.masks.shape == (7, 48, 64)
    assert set(result.names) <= {"cat", "dog"}
    assert result.plot().shape == (48, 64, 3)
    assert not np.array_equal(result.plot(), result.image)
    assert result._repr_png_().startswith(b"\x89PNG")
    assert json.loads(json.dumps(result.to_dict()))["objects"][0]["name"] == result.names[0]
    assert result.to_coco(5, [30, 40])[0]["category_id"] in (30, 40)
    with Image.open(result.save(tmp_path / "new" / "drawn.png")) as saved:
        assert saved.size == (64, 48)
    assert result.save(f"{tmp_path / 'other'}/") == tmp_path / "other" / "image0.png"


def test_result_as_a_pandas_table(model: yolor_gp.Model) -> None:
    pytest.importorskip("pandas")
    result = model(picture(), img=64, confidence=0.0, max_detections=7)
    table = result.to_pandas()
    np.testing.assert_allclose(table[["left", "top", "right", "bottom"]], result.boxes)
    assert list(table.name) == result.names


def test_result_for_supervision(model: yolor_gp.Model) -> None:
    pytest.importorskip("supervision")
    result = model(picture(), img=64, confidence=0.0, max_detections=7)
    found = result.to_supervision()
    np.testing.assert_array_equal(found.mask, result.masks)
    np.testing.assert_array_equal(found.xyxy, result.boxes)


def test_predictions_follow_the_weights(model: yolor_gp.Model) -> None:
    first = model(picture(), img=64, confidence=0.0)
    kept = {name: value.clone() for name, value in model.network.state_dict().items()}
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.mul_(0.9)
    assert not np.array_equal(model(picture(), img=64, confidence=0.0).scores, first.scores)
    model.network.load_state_dict(kept)
    np.testing.assert_array_equal(model(picture(), img=64, confidence=0.0).boxes, first.boxes)


def test_training_is_that_of_the_command(
    run: yolor_gp.TrainedRun, data: Path, tmp_path: Path
) -> None:
    words = ["--cfg", TINY, "--data", str(data), "--device", "cpu", "--project",
             str(tmp_path), "--hyp", "demo", "--img", "64", "--batch-size", "8", "--epochs", "1",
             "--workers", "0", "--precision", "float32"]  # fmt: skip
    assert train.main(words) == 0
    ours, theirs = (
        read_checkpoint(folder / "weights" / "last.pt")["network"]
        for folder in (run.folder, tmp_path / "exp")
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert run.exit_code == 0
    assert len(run.history) == 1
    assert run.history[0]["val/box AP"] == pytest.approx(run.figures["box AP"], abs=1e-6)
    assert run.model.names == yolor_gp.load(run.folder).names


def test_changed_weights_are_where_training_starts(data: Path, tmp_path: Path) -> None:
    model = yolor_gp.load(TINY, device="cpu", classes=3)
    first = model.network.state_dict()["layers.0.conv.weight"]
    torch.nn.init.constant_(first, 0.25)
    words = {**QUICK, "set": {"optimizer.learning_rate": 1e-9}}
    run = model.train(data, **words, project=tmp_path)
    trained = read_checkpoint(run.folder / "weights" / "last.pt")["network"]
    torch.testing.assert_close(trained["layers.0.conv.weight"], first, atol=1e-3, rtol=0)


def test_validation_is_that_of_the_command(
    run: yolor_gp.TrainedRun, data: Path, tmp_path: Path
) -> None:
    file = tmp_path / "figures.json"
    words = ["--weights", str(run.best), "--data", str(data), "--device", "cpu"]
    assert val.main([*words, "--metrics-json", str(file)]) == 0
    assert run.model.val(data).to_json() == json.loads(file.read_text())


def test_validation_in_views_sees_what_detection_sees(
    run: yolor_gp.TrainedRun, data: Path, tmp_path: Path
) -> None:
    """The detections behind the figures are those of `predict`, box by box."""
    file = tmp_path / "found.json"
    views = ["--slice", "32", "--overlap", "0.3", "--augment"]
    limits = ["--confidence", "0", "--max-detections", "20", "--boxes-only"]
    words = [
        "--weights",
        str(run.folder),
        "--data",
        str(data),
        "--batch-size",
        "3",
        *views,
        *limits,
    ]
    assert val.main([*words, "--precision", "float32", "--save-json", str(file)]) == 0
    model = yolor_gp.load(run.folder, precision="float32")
    dataset = open_dataset(load_data_config(data), "val", image_size=64)
    flags: dict[str, Any] = {"slice": 32, "overlap": 0.3, "augment": True}
    for index, image_id in enumerate(dataset.image_ids.tolist()):
        rows = [row for row in json.loads(file.read_text()) if row["image_id"] == image_id]
        result = model(
            dataset.read_original(index), confidence=0.0, iou=0.65, max_detections=20, **flags
        )
        best = {(round(row["score"], 4), *np.round(row["bbox"], 1)) for row in rows}
        own = result.to_coco()
        assert len(own) == 20 == len(rows)
        assert len(best & {(round(r["score"], 4), *np.round(r["bbox"], 1)) for r in own}) >= 15


def test_detections_are_those_of_the_command(run: yolor_gp.TrainedRun, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture())
    words = ["--weights", str(run.best), "--source", str(tmp_path / "a.png"), "--confidence",
             "0.001", "--save-json", str(tmp_path / "found.json"), "--project",
             str(tmp_path), "--device", "cpu"]  # fmt: skip
    assert detect.main(words) == 0
    written = json.loads((tmp_path / "found.json").read_text())
    found = run.model(tmp_path / "a.png", confidence=0.001).to_coco()
    assert [row["bbox"] for row in written] == [row["bbox"] for row in found]


def test_resume_by_python(data: Path, tmp_path: Path) -> None:
    model = yolor_gp.load(TINY, device="cpu")
    whole = model.train(data, **{**QUICK, "epochs": 2}, project=tmp_path, name="whole")
    with pytest.raises(UserError, match="this run is finished"):
        yolor_gp.resume(whole.folder)
    with pytest.raises(UserError, match="no run with a checkpoint"):
        yolor_gp.resume(project=tmp_path / "nothing")


def test_training_in_a_thread_leaves_signals_alone(data: Path, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with ThreadPoolExecutor(1) as pool:
        model = yolor_gp.load(TINY, device="cpu")
        run = pool.submit(lambda: model.train(data, **QUICK, project=tmp_path)).result()
    assert run.exit_code == 0
    assert signal.getsignal(signal.SIGINT) is before


def test_words_go_through_logging(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("yolor_gp")
    handlers, propagate = logger.handlers[:], logger.propagate
    logger.handlers[:], logger.propagate = [], True
    try:
        with caplog.at_level(logging.INFO, "yolor_gp"):
            yolor_gp.load(TINY, device="cpu").train(data, **QUICK, project=tmp_path)
    finally:
        logger.handlers[:], logger.propagate = handlers, propagate
    assert any("epoch 1/1" in message for message in caplog.messages)
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"epoch": 3}, "unknown argument 'epoch'; did you mean 'epochs'"),
        ({"img": 65}, "multiple of 16"),
        ({"resume": "x"}, "yolor_gp.resume"),
        ({"weights": "x.pt"}, "would be another model"),
        ({"set": {"optimizer.lrr": 1}}, "lrr"),
    ],
)
def test_wrong_flags_are_told(flags: dict[str, Any], message: str, tmp_path: Path) -> None:
    model = yolor_gp.load(TINY, device="cpu")
    with pytest.raises(UserError, match=message):
        model.train("shapes", project=tmp_path, **flags)
    assert not [*tmp_path.iterdir()]


def test_python_takes_every_flag_of_the_command() -> None:
    known = {option for action in parser()._actions for option in action.option_strings}
    flags = {f"--{name.replace('_', '-')}" for name in TrainFlags.__annotations__}
    assert flags <= known
    fields = {action.dest for action in parser()._actions} - {"help", "set", "project", "plugins"}
    assert request_of(dict.fromkeys(fields, 0)).given.keys() <= fields


def test_fused_models_say_what_they_cannot(tmp_path: Path) -> None:
    model = yolor_gp.load(TINY, device="cpu").fuse()
    assert len(model(picture(), img=64)) >= 0
    with pytest.raises(UserError, match="is fused"):
        model.save(tmp_path / "x.pt")
    with pytest.raises(UserError, match="is fused"):
        model.train("shapes")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_saved_models_are_the_same(model: yolor_gp.Model, tmp_path: Path, suffix: str) -> None:
    again = yolor_gp.load(model.save(tmp_path / f"x{suffix}"), device="cpu")
    assert again.names == model.names
    expected, found = (each(picture(), img=64, confidence=0.0) for each in (model, again))
    np.testing.assert_array_equal(found.boxes, expected.boxes)


def test_looking_into_a_model() -> None:
    model = yolor_gp.load("yolor-elan-n", device="cpu")
    assert "parameters" in str(model.summary(64)).lower()
    assert model.gradient_paths().total.layers > 10


def test_check_dataset_reports(data: Path, tmp_path: Path) -> None:
    assert not yolor_gp.check_dataset(data).errors
    with pytest.raises(UserError, match="no such"):
        yolor_gp.check_dataset(tmp_path / "none.yaml")


def test_the_example_of_the_readme_runs(
    run: yolor_gp.TrainedRun, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert block is not None
    lines = block[1].strip().splitlines()
    assert len(lines) <= 8
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), picture())
    monkeypatch.chdir(tmp_path)
    program = tmp_path / "example.py"
    short = block[1].replace("mine.yaml", str(data)).replace("epochs=100", "epochs=1")
    program.write_text(short.replace("img=640", "img=64, workers=0, device='cpu'"))
    runpy.run_path(str(program), run_name="__main__")
    assert (tmp_path / "runs" / "train" / "exp" / "weights" / "best.pt").is_file()
