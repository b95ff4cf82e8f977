"""Files with suppression inside find what this project's own suppression finds."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import yolor_gp
from tests.export.test_export import SIZE, model
from yolor_gp.commands.export_model import main
from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.detection.postprocess import postprocess
from yolor_gp.engine.checkpoints.checkpoint import read_checkpoint
from yolor_gp.errors import UserError
from yolor_gp.export.exported import ExportedNetwork, open_exported, tell_limits
from yolor_gp.export.formats import Array
from yolor_gp.export.graph import describe
from yolor_gp.export.proof import compare_kept, kept
from yolor_gp.export.suppression import Suppression
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.structures.detections import Detections, PrototypeMasks
from yolor_gp.weights import store_thresholds

FIXED = Suppression(confidence=0.2, iou=0.5, max_detections=20)


def images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


def as_outputs(found: list[Detections]) -> list[Array]:
    """Detections as a graph with suppression gives them."""
    most = max(1, *(len(one) for one in found))
    parts: list[list[Tensor]] = [[], [], [], []]
    for one in found:
        assert isinstance(one.masks, PrototypeMasks)
        logits = torch.einsum("nk,khw->nhw", one.masks.coefficients, one.masks.prototypes)
        for part, value in zip(
            parts, (one.boxes, one.scores, one.labels, logits.sigmoid()), strict=True
        ):
            rows = value.new_zeros(most, *value.shape[1:])
            rows[: len(value)] = value
            part.append(rows)
    counts = torch.tensor([len(one) for one in found])
    return [part.numpy() for part in (counts, *(torch.stack(part) for part in parts))]


def in_memory(network: DetectionNetwork, *, dynamic: bool = True) -> ExportedNetwork:
    """A file with suppression inside, which this project's own does."""

    def session(given: Array) -> list[Array]:
        return as_outputs(kept(network, torch.from_numpy(given), FIXED.config))

    description = describe(network, SIZE, 2, dynamic=dynamic, suppression=FIXED)
    return ExportedNetwork(Path("x.onnx"), description, session)


def test_what_a_file_kept_is_kept_again() -> None:
    network = model().network.eval()
    given = images(3, 3, SIZE, 2 * SIZE)
    ours, theirs = kept(network, given, FIXED.config), kept(in_memory(network), given, FIXED.config)
    for first, second in zip(ours, theirs, strict=True):
        assert 5 < len(first) <= 20 and torch.equal(first.boxes, second.boxes)
        assert torch.equal(first.scores, second.scores) and torch.equal(first.labels, second.labels)
        assert isinstance(second.masks, PrototypeMasks) and len(second.masks) == len(first)
    found = compare_kept(network, in_memory(network), [given[:1].numpy()], FIXED.config)
    assert found.detections and not found.lost and found.masks is not None and found.masks < 1e-5
    other = compare_kept(
        network, in_memory(model(seed=1).network), [given[:1].numpy()], FIXED.config
    )
    assert other.lost > 0 and "in one of them only" in str(other)


def test_batches_that_keep_different_numbers_are_joined() -> None:
    network = model().network.eval()
    given = images(5, 3, SIZE, SIZE)
    given[3:] = 0
    free, fixed = (in_memory(network, dynamic=way)(given) for way in (True, False))
    most = min(free[1].shape[1], fixed[1].shape[1])
    for first, second in zip(free[1:], fixed[1:], strict=True):
        torch.testing.assert_close(first[:, :most], second[:, :most], rtol=0, atol=1e-3)
    assert torch.equal(free[0], fixed[0])


def test_looser_thresholds_than_the_file_has_are_told(caplog: pytest.LogCaptureFixture) -> None:
    network = in_memory(model().network)
    with caplog.at_level(logging.WARNING):
        tell_limits(network, replace_config(confidence=0.3))
        tell_limits(model().network, ValidationConfig())
        assert not caplog.messages
        tell_limits(network, ValidationConfig())
    assert caplog.messages == [
        "x.onnx: has suppression inside (confidence 0.2, IoU 0.5, 20 detections), which cannot be"
        " looser; export without --nms, or with what is wanted"
    ]


def replace_config(**changes: float) -> ValidationConfig:
    return FIXED.config.model_copy(update=changes)


@pytest.mark.parametrize("form", ["onnx", "openvino"])
def test_a_file_with_suppression(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    pytest.importorskip("onnxruntime" if form == "onnx" else "openvino", reason="not installed")
    original = model()
    weights = original.save(tmp_path / "w.pt")
    store_thresholds(weights, {"cat": 0.22, "dog": 0.2})
    assert read_checkpoint(weights)["description"]["thresholds"]["cat"] == 0.22
    words = ["--img", str(SIZE), "--nms", "--iou", "0.5"]
    assert main([str(weights), "--format", form, *words]) == 0
    assert "confidence 0.2, IoU 0.5, 300 detections" in capsys.readouterr().out
    exported = open_exported(tmp_path / f"w.{'onnx' if form == 'onnx' else 'xml'}")
    fixed = exported.description.suppression
    assert fixed == Suppression(0.2, 0.5, 300)
    network = original.network.eval()
    for shape in ((1, 3, SIZE, SIZE), (3, 3, 96, 160)):
        given = images(*shape)
        ours, theirs = (kept(one, given, fixed.config) for one in (network, exported))
        for first, second in zip(ours, theirs, strict=True):
            assert torch.equal(first.labels, second.labels) and len(first)
            torch.testing.assert_close(first.boxes, second.boxes, rtol=0, atol=1e-3)
            torch.testing.assert_close(first.scores, second.scores, rtol=0, atol=1e-4)
    loaded = yolor_gp.load(exported.file, device="cpu", precision="float32")
    assert loaded.thresholds == {"cat": 0.22, "dog": 0.2}
    picture = np.random.default_rng(0).integers(0, 255, (50, 90, 3)).astype(np.uint8)
    own = yolor_gp.load(weights, device="cpu", precision="float32")
    first_result, second_result = own(picture, iou=0.5, img=SIZE), loaded(picture, iou=0.5)
    assert len(first_result.boxes) == len(second_result.boxes) > 0
    assert first_result.masks is not None and second_result.masks is not None
    assert (
        first_result.masks != second_result.masks
    ).mean() < 1e-2  # near 0.5, where this network is


def test_nothing_is_kept_of_nothing(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    weights = model().save(tmp_path / "w.pt")
    words = ["--img", str(SIZE), "--nms", "--confidence", "0.9999"]
    assert main([str(weights), *words]) == 0
    exported = open_exported(tmp_path / "w.onnx")
    outputs = exported(images(2, 3, SIZE, SIZE))
    assert outputs[0].tolist() == [0, 0] and outputs[1].shape == (2, 1, 4)
    assert [len(one) for one in kept(exported, images(2, 3, SIZE, SIZE), FIXED.config)] == [0, 0]


def test_a_format_that_cannot_hold_it_says_so(tmp_path: Path) -> None:
    from yolor_gp.export import formats

    stub = replace(formats.find_format("onnx"), name="stub", suffix=".stub", can_suppress=False)
    formats._formats.parts["stub"] = stub
    try:
        with pytest.raises(UserError, match="--nms: stub cannot hold suppression"):
            main(["tests/tiny.yaml", "--format", "stub", "--nms"])
    finally:
        del formats._formats.parts["stub"]


def test_masks_are_their_own_prototypes() -> None:
    network = in_memory(model().network.eval())
    given = images(1, 3, SIZE, SIZE)
    found = postprocess(network.head.candidates(network(given), 0.2), FIXED.config)[0]
    assert isinstance(found.masks, PrototypeMasks)
    assert torch.equal(found.masks.coefficients.sum(1), torch.ones(len(found)))
