"""Exported networks: written, read back as networks, and held to what they were made of."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

import yolor_gp
from yolor_gp import plugins
from yolor_gp.commands.export_model import main
from yolor_gp.config.shipped import shipped_files
from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.detection.postprocess import postprocess
from yolor_gp.errors import UserError
from yolor_gp.export import formats
from yolor_gp.export.exported import ExportedNetwork, is_exported, open_exported
from yolor_gp.export.formats import (
    Array,
    Format,
    Request,
    Session,
    find_format,
    format_of,
    register_format,
)
from yolor_gp.export.graph import Description, ExportGraph, describe
from yolor_gp.export.proof import compare, latencies, pictures
from yolor_gp.export.suppression import Suppression
from yolor_gp.models.heads.detection_head import DetectionHead
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.plugins import load_plugins

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "tiny.yaml"
EXAMPLE = ROOT / "examples" / "plugins" / "graph_export.py"
SIZE = 64
DETECTORS = [file.stem for file in shipped_files("model") if file.parent.name in ("model", "paper")]


def model(seed: int = 0) -> yolor_gp.Model:
    """A network that is sure of something everywhere."""
    torch.manual_seed(seed)
    found = yolor_gp.load(TINY, device="cpu", precision="float32", classes=["cat", "dog"])
    head = found.network.head
    with torch.no_grad():
        for level in head.levels:
            level.conv.bias.view(head.num_anchors, -1)[:, 4:7] += 5
    return found


def in_memory(
    network: DetectionNetwork, *, dynamic: bool = True, batch: int = 1
) -> ExportedNetwork:
    """As if written and read back: the graph itself is the session."""
    graph = ExportGraph(network)

    def session(images: Array) -> list[Array]:
        assert dynamic or len(images) == batch
        with torch.no_grad():
            return [part.numpy() for part in graph(torch.from_numpy(images))]

    return ExportedNetwork(Path("x.onnx"), describe(network, SIZE, batch, dynamic=dynamic), session)


@pytest.mark.parametrize("multi_label", [True, False])
def test_detections_are_those_of_the_network(multi_label: bool) -> None:
    network = model().network.eval()
    exported = in_memory(network)
    images = torch.rand(2, 3, SIZE, 2 * SIZE, generator=torch.Generator().manual_seed(1))
    config = ValidationConfig(confidence=0.2, multi_label=multi_label)
    with torch.no_grad():
        ours = postprocess(network.head.candidates(network(images), 0.2), config)
        theirs = postprocess(exported.head.candidates(exported(images), 0.2), config)
    for first, second in zip(ours, theirs, strict=True):
        assert len(first) > 5 and first.image_size == second.image_size
        torch.testing.assert_close(first.boxes, second.boxes, rtol=0, atol=1e-3)
        torch.testing.assert_close(first.scores, second.scores, rtol=0, atol=1e-5)
        assert torch.equal(first.labels, second.labels)


def test_a_fixed_batch_is_nobodys_affair() -> None:
    network = model().network.eval()
    images = torch.rand(5, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    free, fixed = in_memory(network)(images), in_memory(network, dynamic=False, batch=2)(images)
    for first, second in zip(free, fixed, strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=1e-4)
    with pytest.raises(UserError, match="takes 64x64 pixels, found 128x64; use --img 64"):
        in_memory(network, dynamic=False)(torch.zeros(1, 3, 64, 128))


def test_an_exported_file_is_loaded_like_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = model()
    network = in_memory(original.network)
    (tmp_path / "x.stub").touch()
    found = Format("stub", ".stub", ("float32",), lambda request: None,
                   lambda path: (network.description, network._session))  # fmt: skip
    monkeypatch.setitem(formats._formats.parts, "stub", found)
    loaded = yolor_gp.load(tmp_path / "x.stub", device="cpu", precision="float32")
    assert loaded.names == ("cat", "dog") and loaded.image_size == (SIZE, SIZE)
    picture = np.random.default_rng(0).integers(0, 255, (50, 90, 3)).astype(np.uint8)
    first, second = original(picture, img=SIZE), loaded(picture)
    assert len(first.boxes) == len(second.boxes) > 0
    np.testing.assert_allclose(first.boxes, second.boxes, atol=1e-2)
    for forbidden in (lambda: loaded.train("shapes"), lambda: loaded.save(tmp_path / "x.pt"),
                      loaded.summary, loaded.gradient_paths):  # fmt: skip
        with pytest.raises(UserError, match="exported"):
            forbidden()
    with pytest.raises(UserError, match="its classes are fixed"):
        yolor_gp.load(tmp_path / "x.stub", classes=3)


def test_the_description_goes_round(tmp_path: Path) -> None:
    network = model().network
    given = describe(
        network, SIZE, 1, dynamic=True, thresholds={"cat": 0.5},
        suppression=Suppression(0.25, 0.45, 300),
    )  # fmt: skip
    assert Description.from_json(given.to_json(), tmp_path) == given
    other = describe(model(seed=1).network, SIZE, 1, dynamic=True)
    assert given.weights != other.weights and len(given.weights) == 64
    for text in (None, "{", "[]", json.dumps({"names": ["a"]})):
        with pytest.raises(UserError, match="was not written by export_model"):
            Description.from_json(text, tmp_path)
    with pytest.raises(UserError, match="of a later version"):
        Description.from_json(replace(given, format=2).to_json(), tmp_path)


def test_differences_are_seen() -> None:
    first, second = model().network, model(seed=1).network
    images = list(pictures(None, SIZE, 2))
    same = compare(ExportGraph(first), in_memory(first), images)
    assert (same.boxes, same.scores, same.masks) == (0, 0, 0)
    other = compare(ExportGraph(first), in_memory(second), images)
    assert other.boxes > 0.1 and other.scores > 1e-3 and other.masks is not None
    assert "px, scores" in str(other)
    given = torch.from_numpy(images[0])
    ours, theirs = latencies(
        lambda: ExportGraph(first)(given), lambda: in_memory(first)(given), repeats=2
    )
    assert ours > 0 and theirs > 0


def test_formats_are_known_by_name_and_suffix() -> None:
    assert find_format("onnx").suffix == ".onnx" and is_exported("a/B.ONNX")
    assert format_of("weights.pt") is None and not is_exported("yolor-csp")
    with pytest.raises(UserError, match=r"unknown format .*; did you mean 'onnx'"):
        find_format("onxx")
    with pytest.raises(ValueError, match="registered twice"):
        register_format(find_format("onnx"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--precision", "int8"], "--precision int8: needs --data"),
        (["--precision", "float8"], "onnx can be written in float32, float16, int8"),
        (["--out", "x.xml"], "--out x.xml: files of onnx end in .onnx"),
        (["--format", "onyx"], "--format onyx: unknown format 'onyx'; did you mean 'onnx'"),
        (["--img", "50"], "--img 50: must be a multiple of 16"),
        (["--iou", "0.5"], "--iou: needs --nms"),
        (["--nms", "--iou", "0"], "--iou 0: would drop every box"),
    ],
)
def test_what_cannot_be_is_said(words: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        main([str(TINY), *words])
    assert message in caught.value.problems[0]


def test_a_classifier_is_told_apart() -> None:
    for command in ("detect", "val", "export_model"):
        program = importlib.import_module(f"yolor_gp.commands.{command}").main
        words = ["skip-mlp"] if command == "export_model" else ["--weights", "skip-mlp"]
        words += ["--source", str(ROOT / "docs")] if command == "detect" else []
        with pytest.raises(UserError, match=r"skip-mlp: a classifier; expected a network that"):
            program(words)
    with pytest.raises(UserError, match="skip-mlp: a classifier"):
        yolor_gp.load([TINY, "skip-mlp"], device="cpu")


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        open_exported(tmp_path / "absent.onnx")


def test_a_head_without_decoding_says_so() -> None:
    class Mine:
        pass

    with pytest.raises(UserError, match="Mine cannot be exported"):
        DetectionHead.decoded(cast(DetectionHead, Mine()), None)


def test_a_format_of_ones_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is loaded here, loader workers of later tests would load too.
    monkeypatch.setattr(plugins, "_loaded", dict(plugins._loaded))
    load_plugins([str(EXAMPLE)])
    out = tmp_path / "tiny.pt2"
    words = ["--format", "graph", "--img", str(SIZE), "--out", str(out)]
    assert main([str(TINY), *words]) == 0
    told = capsys.readouterr().out
    assert f"batches of 1 at {SIZE} px only" in told  # such a format is fixed unasked
    assert "largest differences on 4 pictures" in told
    assert yolor_gp.load(out, device="cpu").image_size == (SIZE, SIZE)


@pytest.mark.parametrize("can_be_dynamic", [True, False])
@pytest.mark.parametrize("static", [True, False])
def test_inputs_are_open_where_the_format_can_and_nobody_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, can_be_dynamic: bool, static: bool
) -> None:
    asked: list[Request] = []

    def write(request: Request) -> None:
        asked.append(request)
        request.path.write_bytes(b"graph")

    def open_stub(path: Path) -> tuple[Description, Session]:
        graph = asked[0].graph

        def session(images: Array) -> list[Array]:
            with torch.no_grad():
                return [part.numpy() for part in graph(torch.from_numpy(images))]

        return asked[0].description, session

    stub = Format("stub", ".stub", ("float32",), write, open_stub, can_be_dynamic=can_be_dynamic)
    monkeypatch.setitem(formats._formats.parts, "stub", stub)
    words = ["--format", "stub", "--img", str(SIZE), "--out", str(tmp_path / "x.stub")]
    assert main([str(TINY), *words, *["--static"][: int(static)]]) == 0
    assert asked[0].description.is_dynamic == (can_be_dynamic and not static)


def test_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    original = model()
    weights = original.save(tmp_path / "w.pt")
    assert main([str(weights), "--img", str(SIZE)]) == 0
    exported = open_exported(tmp_path / "w.onnx")
    for shape in ((1, 3, 64, 64), (3, 3, 96, 160)):  # dynamic in all that may differ
        images = torch.rand(*shape, generator=torch.Generator().manual_seed(2))
        with torch.no_grad():
            expected = ExportGraph(original.network)(images)
        for first, second in zip(expected, exported(images), strict=True):
            torch.testing.assert_close(first, second, rtol=0, atol=1e-3)
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be opened by ONNX Runtime"):
        open_exported(tmp_path / "bad.onnx")


def test_onnx_in_float16(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    original = model()
    weights = original.save(tmp_path / "w.pt")
    words = ["--img", str(SIZE), "--precision", "float16"]
    assert main([str(weights), *words]) == 0
    assert main([str(weights), *words, "--nms", "--out", str(tmp_path / "n.onnx")]) == 0
    images = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = ExportGraph(original.network)(images)
    found = open_exported(tmp_path / "w-float16.onnx")(images)
    torch.testing.assert_close(expected[1], found[1], rtol=0, atol=0.01)
    assert open_exported(tmp_path / "n.onnx")(images)[0].dtype == torch.int64


def test_openvino(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    pytest.importorskip("openvino", reason="openvino is not installed")
    weights = model().save(tmp_path / "w.pt")
    assert main([str(weights), "--img", str(SIZE), "--format", "openvino"]) == 0
    assert yolor_gp.load(tmp_path / "w.xml", device="cpu").names == ("cat", "dog")
    exported, images = open_exported(tmp_path / "w.xml"), torch.rand(1, 3, SIZE, SIZE)
    whole = exported(images)
    with torch.autocast("cpu", torch.bfloat16):
        short = exported(images)
    torch.testing.assert_close(whole[1], short[1], rtol=0, atol=0.05)
    (tmp_path / "bad.xml").write_text("<net/>")
    with pytest.raises(UserError, match=r"bad\.xml: "):
        open_exported(tmp_path / "bad.xml")


@pytest.mark.parametrize(("size", "more"), [("64", []), ("128x64", []), ("64", ["--nms"])])
def test_the_reader_without_torch_finds_the_same(
    tmp_path: Path, size: str, more: list[str]
) -> None:
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    weights = model().save(tmp_path / "w.pt")
    assert main([str(weights), "--img", size, "--static", *more]) == 0
    picture = ROOT / "docs" / "shapes.jpg"
    script = ROOT / "examples" / "onnx_numpy.py"
    run = subprocess.run(
        [sys.executable, script, tmp_path / "w.onnx", picture, tmp_path / "f.jpg"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "torch" not in script.read_text().split('"""', 2)[2]
    found = yolor_gp.load(weights, device="cpu", precision="float32")(picture, img=size)
    lines = run.stdout.splitlines()
    assert abs(len(lines) - len(found.boxes)) <= 0.1 * len(lines) + 1
    assert (tmp_path / "f.jpg").stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.parametrize("name", DETECTORS)
def test_every_shipped_model_runs_in_onnx_runtime(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    out = tmp_path / "a.onnx"
    assert main([name, "--img", "128", "--out", str(out)]) == 0
