"""Official checkpoints are given to the commands directly, and hostile ones are refused there."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.interop.archives import dump, write_zip
from tests.interop.test_hostile_pickles import Call
from yolor_gp.commands.program import exit_code
from yolor_gp.detection.networks import build_detector, load_network, transfer
from yolor_gp.weights import read_weights

FLAGS = {
    "train": ["--data", "shapes"],
    "val": ["--data", "shapes"],
    "detect": ["--source", "image.png"],
    "import_weights": ["out.safetensors"],
}


@pytest.mark.parametrize("command", FLAGS)
def test_a_hostile_checkpoint_is_refused_by_every_command(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("image.png", np.zeros((8, 8, 3), np.uint8))
    write_zip(tmp_path / "hostile.pt", dump({"model": Call(os.system, "touch marker")}))
    given = ["hostile.pt"] if command == "import_weights" else ["--weights", "hostile.pt"]
    main = importlib.import_module(f"yolor_gp.commands.{command}").main
    assert exit_code(main, [*given, *FLAGS[command]]) == 2
    error = capsys.readouterr().err
    assert "hostile.pt: refused: it asks for 'posix.system'" in error
    assert "Traceback" not in error
    assert not (tmp_path / "marker").exists()


@pytest.mark.coco
def test_training_starts_from_official_weights_with_other_classes(shared: Path) -> None:
    weights = shared / "weights" / "yolov5n-seg.pt"
    names = ("zebra", "circle", "person")
    read = read_weights(weights)
    network = build_detector(read.spec.with_classes(3), names, weights, "cpu")
    told = transfer(network, read).summary
    assert "kept boxes, objectness, mask coefficients and 2 of 3 classes, known by name" in told
    official = load_network(weights)
    assert network.names == names and official.num_classes == 80
    own, given = network.head.levels[0].conv.bias, official.head.levels[0].conv.bias
    own_rows, rows = own.reshape(3, -1), given.reshape(3, -1)
    assert torch.equal(own_rows[:, :5], rows[:, :5])
    assert torch.equal(own_rows[:, 5], rows[:, 5 + official.names.index("zebra")])
    assert torch.equal(own_rows[:, 7], rows[:, 5 + official.names.index("person")])
    assert torch.equal(own_rows[:, 8:], rows[:, 85:])


@pytest.mark.coco
def test_detection_with_official_weights(shared: Path, tmp_path: Path) -> None:
    image = sorted((shared / "data" / "coco-mini" / "images" / "val2017").iterdir())[0]
    weights = shared / "weights" / "yolov5n-seg.pt"
    main = importlib.import_module("yolor_gp.commands.detect").main
    flags = ["--img", "320", "--project", str(tmp_path), "--confidence", "0.25"]
    assert main(["--weights", str(weights), "--source", str(image), *flags]) == 0
    drawn = cv2.imread(str(next(tmp_path.rglob("*.jpg"))))
    original = cv2.imread(str(image))
    assert drawn is not None and original is not None
    assert drawn.shape == original.shape and (drawn != original).mean() > 0.01
