"""detect.py from its command line to its files, with a small network of random weights."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from yolor_gp.commands.detect import main
from yolor_gp.config.model_spec import load_model_spec
from yolor_gp.errors import UserError
from yolor_gp.models.builder import build_network
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.weights import save_network


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    spec = load_model_spec("yolor-elan-n").with_classes(3)
    network = build_network(spec, names=("cat", "dog", "cow"))
    assert isinstance(network, DetectionNetwork)
    path = tmp_path_factory.mktemp("weights") / "network.safetensors"
    save_network(network, path, image_size=64)
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (2, 48, 80, 3), dtype=np.uint8)
    for number, image in enumerate(noise):
        cv2.imwrite(str(folder / f"{number}.png"), image)
    return folder


def words(weights: Path, images: Path, *more: str) -> list[str]:
    project = str(images.parent / "runs")
    given = ["--weights", str(weights), "--source", str(images), "--project", project]
    return [*given, "--device", "cpu", *more]


def test_detect_end_to_end(weights: Path, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = images.parent / "found.json"
    more = ("--confidence", "0", "--max-detections", "5", "--save-dataset", str(file), "--save-txt")
    assert main(words(weights, images, *more)) == 0
    folder = images.parent / "runs" / "exp"
    assert capsys.readouterr().out.rstrip().endswith(f"results in {folder}")
    assert {path.name for path in folder.iterdir()} == {"0.png", "1.png", "labels"}
    found = json.loads(file.read_text())
    assert [category["name"] for category in found["categories"]] == ["cat", "dog", "cow"]
    assert len(found["images"]) == 2 and len(found["annotations"]) == 10
    assert all("segmentation" in annotation for annotation in found["annotations"])
    left, top, width, height = np.array([each["bbox"] for each in found["annotations"]]).T
    assert (left >= 0).all() and (left + width <= 80.01).all()
    assert (top >= 0).all() and (top + height <= 48.01).all()
    assert len((folder / "labels" / "0.txt").read_text().splitlines()) == 5


def test_only_the_classes_asked_for(weights: Path, images: Path) -> None:
    file = images.parent / "found.json"
    more = (
        "--confidence",
        "0",
        "--no-images",
        "--save-dataset",
        str(file),
        "--max-detections",
        "9",
    )
    assert main(words(weights, images, *more, "--classes", "cow", "0")) == 0
    found = json.loads(file.read_text())
    assert {annotation["category_id"] for annotation in found["annotations"]} <= {1, 3}
    assert found["annotations"]


def test_a_batch_finds_what_single_images_find(weights: Path, images: Path) -> None:
    results = []
    for size in ("1", "2"):
        file = images.parent / f"{size}.json"
        more = ("--confidence", "0", "--batch-size", size, "--save-dataset", str(file))
        assert main(words(weights, images, *more, "--max-detections", "4")) == 0
        found = json.loads(file.read_text())
        results.append([annotation["bbox"] for annotation in found["annotations"]])
    assert np.allclose(results[0], results[1], atol=0.05)


def test_windows_and_several_weights(weights: Path, images: Path) -> None:
    file = images.parent / "found.json"
    more = ("--slice", "48", "--no-images", "--save-dataset", str(file))
    few = ("--confidence", "0", "--max-detections", "5", "--weights", str(weights), str(weights))
    assert main(words(weights, images, *more, *few)) == 0
    found = json.loads(file.read_text())
    assert len(found["annotations"]) == 10
    assert all(each["segmentation"]["size"] == [48, 80] for each in found["annotations"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--img", "100"], "--img 100: must be a multiple of 32"),
        (["--iou", "0"], "--iou 0"),
        (["--classes", "cta"], "did you mean 'cat'"),
        (["--device", "gpu"], "gpu"),
    ],
)
def test_bad_flags(weights: Path, images: Path, more: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        main(words(weights, images, *more))
