"""A classifier's weights begin a detector: its backbone, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import yolor_gp
from tests.data.data_sets import Painted
from tests.detection.test_boxes_only import data_file
from yolor_gp import UserError
from yolor_gp.config.model_spec import load_model_spec
from yolor_gp.detection.networks import transfer
from yolor_gp.detection.requests import request_of, train
from yolor_gp.models.builder import build_network
from yolor_gp.weights import Weights

DETECTOR = """
nc: 4
anchors: [[12, 16, 19, 36], [40, 30, 60, 70]]
backbone:
- [-1, 1, Conv, [8, 3, 2]]
- [-1, 1, Conv, [8, 3, 2]]
- {block: Conv, out_channels: 16, kernel: 3, stride: 2, name: p3}
- {block: Bottleneck, out_channels: 16}
- {block: Conv, out_channels: 32, kernel: 3, stride: 2, name: p4}
head:
- {block: Conv, out_channels: 32}
- {block: AnchorHead, from: [p3, -1], num_classes: nc, anchors: anchors, masks: 4}
"""

BACKBONE = """
extends: detector.yaml
head:
- {block: Classifier, num_classes: nc}
"""


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """Saved weights of the detector's backbone as a classifier of three classes."""
    (tmp_path / "detector.yaml").write_text(DETECTOR)
    (tmp_path / "backbone.yaml").write_text(BACKBONE)
    torch.manual_seed(3)
    classes = ("ash", "elm", "oak")
    model = yolor_gp.load_classifier(tmp_path / "backbone.yaml", device="cpu", classes=classes)
    return model.save(tmp_path / "classifier.pt")


def test_a_backbone_is_two_lines(classifier: Path) -> None:
    network: Any = yolor_gp.load_classifier(classifier, device="cpu").network
    assert len(network.layers) == 5 and network.head.conv.in_channels == 32


def test_a_detector_begins_with_it(
    classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given: Any = yolor_gp.load_classifier(classifier, device="cpu").network
    data = data_file(tmp_path, Painted(tmp_path / "painted"))
    words: dict[str, Any] = {
        "hyp": "demo", "img": 64, "batch_size": 4, "epochs": 1, "workers": 0, "device": "cpu",
        "precision": "float32", "set": ["optimizer.learning_rate=1e-12"],
    }  # fmt: skip
    request = request_of({**words, "cfg": str(tmp_path / "detector.yaml"), "data": str(data),
                          "weights": str(classifier), "project": tmp_path / "runs"})  # fmt: skip
    found = train(request)
    told = capsys.readouterr().out
    assert "5 of 5 layers of the backbone from a classifier (" in told
    assert f"from {classifier}" in told
    trained: Any = yolor_gp.load(found.folder / "weights" / "last.pt", device="cpu").network
    for index in range(5):
        pairs = zip(
            given.layers[index].parameters(), trained.layers[index].parameters(), strict=True
        )
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in pairs), index


def test_layers_that_differ_are_named(classifier: Path, tmp_path: Path) -> None:
    other = DETECTOR.replace(
        "{block: Bottleneck, out_channels: 16}", "{block: CSPStage, out_channels: 16}"
    )
    (tmp_path / "other.yaml").write_text(other)
    network: Any = yolor_gp.load(tmp_path / "other.yaml", device="cpu").network
    model = yolor_gp.load_classifier(classifier, device="cpu")
    weights = Weights(model.network.spec, model.names, model.network.state_dict())
    summary = transfer(network, weights).summary
    assert summary.startswith("4 of 5 layers of the backbone from a classifier, not 3 (CSPStage) (")


@pytest.mark.parametrize(
    ("classifier", "detector", "words"),
    [
        ("csp-darknet53", "yolor-csp", "10 of 11 layers"),
        ("darknet53", "yolor-v3", "11 of 11 layers"),
    ],
)
def test_table_2_begins_the_papers_detectors(classifier: str, detector: str, words: str) -> None:
    spec = load_model_spec(classifier)
    tensors = build_network(spec, device="meta").state_dict()
    network: Any = build_network(load_model_spec(detector), device="meta")
    assert transfer(network, Weights(spec, (), tensors)).summary.startswith(words)


def test_a_classifier_alone_is_no_detector(classifier: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a classifier; name the detector that it begins"):
        train(request_of({"weights": str(classifier), "data": "shapes", "project": tmp_path / "r"}))
