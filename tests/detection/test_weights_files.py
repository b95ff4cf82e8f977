from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.detection.inference import Inference
from yolor_gp.detection.networks import load_network, open_detector, transfer
from yolor_gp.detection.predict import Predictor
from yolor_gp.engine.precision import choose_precision
from yolor_gp.errors import UserError
from yolor_gp.models.builder import build_network
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.ops.letterbox import evaluation_letterbox, place
from yolor_gp.weights import read_weights, save_network

CPU = torch.device("cpu")

MODEL = """
nc: 2
anchors: [[12, 16, 19, 36]]
backbone:
- [-1, 1, Conv, [8, 3, 2]]
- [-1, 1, Conv, [8, 3, 2]]
- [-1, 1, Conv, [16, 3, 2]]
head:
- [[2], 1, Detect, [nc, anchors]]
"""


@pytest.fixture(scope="module")
def network() -> DetectionNetwork:
    torch.manual_seed(0)
    built = build_network(ModelSpec.from_text(MODEL, "tiny.yaml"), names=["cat", "dog"])
    assert isinstance(built, DetectionNetwork)
    return built.eval()


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_weights_go_round(network: DetectionNetwork, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"weights{ending}"
    save_network(network, file, 320)
    again = load_network(file)
    assert again.names == ("cat", "dog") and not again.training
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        one, two = network(images).levels[0].logits, again(images).levels[0].logits
    assert torch.equal(one, two)


def test_another_number_of_classes_keeps_what_fits(
    network: DetectionNetwork, tmp_path: Path
) -> None:
    save_network(network, tmp_path / "w.pt", 320)
    other = open_detector(tmp_path / "w.pt", torch.device("cpu"), 5).network
    assert other.num_classes == 5
    name = "layers.0.conv.weight"
    assert torch.equal(other.state_dict()[name], network.state_dict()[name])
    report = transfer(other, read_weights(tmp_path / "w.pt"))
    assert 0 < len(report.copied) < report.wanted


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("absent.pt", None, "no such weights"),
        ("text.pt", b"hello", "text.pt"),
        ("text.safetensors", b"hello", "text.safetensors"),
    ],
)
def test_unreadable_weights(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=words):
        load_network(tmp_path / name)


def test_prediction_is_validation_image_by_image(network: DetectionNetwork) -> None:
    """Letterbox, network, post-processing and the way back are shared: numbers are equal."""
    config = ValidationConfig(confidence=1e-7, max_detections=20)
    numbers = np.random.default_rng(0)
    sizes = [(40, 60), (90, 33), (64, 64)]
    images = [numbers.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    inference = Inference.of(network, config, CPU, choose_precision("float32", CPU))
    found = Predictor(inference, 64)(images)
    for image, detections in zip(images, found, strict=True):
        letterbox = evaluation_letterbox(image.shape[:2], 64)
        batch = torch.from_numpy(place(image, letterbox).transpose(2, 0, 1).copy())[None]
        alone = inference(batch)[0].to_original(letterbox)
        assert detections.image_size == image.shape[:2] and len(detections) > 0
        torch.testing.assert_close(detections.boxes, alone.boxes)
        assert torch.equal(detections.labels, alone.labels)
    assert Predictor(inference, 64)([]) == []


def test_rectangular_prediction_pads_no_more_than_it_must(network: DetectionNetwork) -> None:
    shapes = []
    network.register_forward_pre_hook(lambda _, inputs: shapes.append(tuple(inputs[0].shape)))
    numbers = np.random.default_rng(0)
    sizes = [(30, 60), (60, 60), (31, 62)]
    images = [numbers.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    config = ValidationConfig(confidence=1e-7, max_detections=20)
    inference = Inference.of(network, config, CPU, choose_precision("float32", CPU))
    predictor = Predictor(inference, 64, rectangular=True)
    together = predictor(images)
    assert shapes == [(2, 3, 32, 64), (1, 3, 64, 64)]
    for image, found in zip(images, together, strict=True):
        assert found.image_size == image.shape[:2]
        torch.testing.assert_close(found.boxes, predictor([image])[0].boxes)
