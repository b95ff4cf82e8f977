"""Classifiers and detectors examined layer by layer, from trained weights to the page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import cv2
import numpy as np
import pytest
import torch
from torchvision.ops import roi_align

import yolor_gp
from tests.classification.labelled import QUICK, write_folders, write_model
from tests.pages import networks_of, opened
from tests.tiny_network import TINY
from yolor_gp.analysis.flow.observed import layer_names
from yolor_gp.classification.requests import request_of, train
from yolor_gp.commands.information_flow import main
from yolor_gp.config.model_spec import ModelSpec, load_model_spec
from yolor_gp.data.shapes.outlines import SHAPES
from yolor_gp.errors import UserError
from yolor_gp.information_flow import between as between_module
from yolor_gp.information_flow import examine as examine_module
from yolor_gp.information_flow.advice import advice
from yolor_gp.information_flow.between import compare
from yolor_gp.information_flow.drawn import Drawing, drawing_of
from yolor_gp.information_flow.examine import examine
from yolor_gp.information_flow.examined import open_examined
from yolor_gp.information_flow.flow_results import FlowResult, LayerFlow, block_of, pathway_of
from yolor_gp.information_flow.page import render
from yolor_gp.information_flow.smaller import index_of, shortened, with_fewer_paths
from yolor_gp.models.builder import build_network
from yolor_gp.models.summary import summarize
from yolor_gp.ops.image_size import ImageSize

pytest.importorskip("sklearn", reason="scikit-learn is not installed")


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A classifier that knows three colours, and its data."""
    root = write_folders(tmp_path_factory.mktemp("flow"))
    flags: dict[str, Any] = {**QUICK, "cfg": write_model(root), "data": str(root), "epochs": 12}
    flags["project"] = root / "runs"
    flags["set"] = ["ema.decay=0.5", "optimizer.nominal_batch=6", "validation.every=6"]
    return str(train(request_of(flags)).folder), root


def test_a_classifier_from_command_to_page(colours: tuple[str, Path], tmp_path: Path) -> None:
    run, root = colours
    words = [run, "--data", str(root), "--out", str(tmp_path), "--batch-size", "8", "--workers",
             "0", "--device", "cpu"]  # fmt: skip
    assert main(words) == 0
    found = json.loads((tmp_path / "flow.json").read_text())
    assert found["task"] == "classification" and found["size"] == 32 and found["accuracy"] > 0.9
    first, second, last = found["layers"]
    assert [layer["channels"] for layer in (first, second, last)] == [8, 16, 3]
    for layer in found["layers"]:
        assert layer["probe"] > 0.9 and 0 < layer["saturation"] <= 1
    assert (first["sees"], second["sees"]) == (1, 3) and last["is_beyond"]
    assert last["cka_output"] == pytest.approx(1, abs=1e-4)  # it is the output
    cka = np.array(found["cka"], float)
    assert np.allclose(cka, cka.T, atol=1e-5) and np.allclose(np.diag(cka), 1, atol=1e-5)
    page = (tmp_path / "flow.html").read_text()
    assert page.count("data:image/png;base64,") == 4 and "has seen more than the image" in page
    (drawn,) = networks_of(page)
    rows = drawn["layers"]
    assert isinstance(rows, list)
    assert [row["name"] for row in rows] == [layer["name"] for layer in found["layers"]]
    assert [row["figures"]["probe, %"] for row in rows] == [
        100 * layer["probe"] for layer in found["layers"]]  # fmt: skip
    assert rows[0]["figures"]["sees, px"] == 1 and rows[-1]["figures"]["sees, px"] is None
    assert drawn["border"] == 2
    assert not (tmp_path / "features").exists()


def test_what_is_done_is_not_done_again(
    colours: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, root = colours

    def opened(images: int = 100) -> Any:
        return open_examined(run, str(root), images=images, batch_size=8)

    whole = examine(opened(), tmp_path / "whole")
    probed: list[int] = []
    real = examine_module.probe_accuracy

    def interrupted(train: Any, test: Any) -> float:
        probed.append(train[0].shape[1])
        if len(probed) == 2:
            raise KeyboardInterrupt
        return real(train, test)

    monkeypatch.setattr(examine_module, "probe_accuracy", interrupted)
    with pytest.raises(KeyboardInterrupt):
        examine(opened(), tmp_path / "cut")
    monkeypatch.setattr(examine_module, "_run", None)  # images are not looked at again
    assert examine(opened(), tmp_path / "cut") == whole
    assert probed == [8, 16, 16, 3]
    with pytest.raises(TypeError):  # other images are another examination
        examine(opened(images=10), tmp_path / "cut")


def test_objects_are_probed_where_they_are(tmp_path: Path) -> None:
    data = tmp_path / "few.yaml"
    data.write_text(f"path: {tmp_path}/few\nshapes: {{train: 6, val: 4, size: 64}}\n")
    torch.manual_seed(0)
    weights = yolor_gp.load(TINY, device="cpu", classes=list(SHAPES)).save(tmp_path / "w.pt")
    examined = open_examined(weights, str(data), images=5, size=None, batch_size=4)
    batches = list(examined.batches("train"))
    assert sum(len(batch.images) for batch in batches) == 5
    found = examine(examined, tmp_path / "out")
    assert found.accuracy is None and all(0 <= layer.probe <= 1 for layer in found.layers)
    assert len(found.layers) > 3 and len(found.cka) == len(found.layers)

    batch = batches[0]
    regions = batch.regions
    assert regions is not None and len(regions) == len(batch.labels) > 0
    maps = torch.rand(4, 2, 16, 16)
    pooled = examine_module._pooled(maps, batch, 1)
    side = batch.images.shape[-1]
    expected = roi_align(maps, regions, 1, 16 / side, 2, aligned=True).flatten(1)
    assert torch.equal(pooled, expected) and pooled.shape == (len(batch.labels), 2)


def test_two_networks_side_by_side(colours: tuple[str, Path], tmp_path: Path) -> None:
    run, root = colours
    other = yolor_gp.load_classifier(run).save(tmp_path / "other.pt")
    words = [run, "--against", str(other), "--data", str(root), "--out", str(tmp_path / "out"),
             "--batch-size", "8", "--workers", "0", "--device", "cpu"]  # fmt: skip
    assert main(words) == 0
    alone = json.loads((tmp_path / "out/flow.json").read_text())
    beside = json.loads((tmp_path / "out/against-1/flow.json").read_text())
    between = beside.pop("against")
    assert beside["layers"] == alone["layers"]  # the same weights
    assert between["first"] == run and between["second"] == str(other)
    assert between["rows"] == between["columns"] == [layer["name"] for layer in alone["layers"]]
    assert np.allclose(np.array(between["cka"], float), np.array(alone["cka"], float), atol=1e-5)
    page = (tmp_path / "out/flow.html").read_text()
    assert [network["name"] for network in networks_of(page)] == [run, str(other)]
    with pytest.raises(UserError, match="is named twice"):
        main([run, "--against", run, "--data", str(root), "--out", str(tmp_path / "out")])


def test_what_was_compared_is_not_compared_again(
    colours: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, root = colours
    torch.manual_seed(1)
    fresh = yolor_gp.load_classifier(
        write_model(tmp_path), classes=yolor_gp.load_classifier(run).names
    ).save(tmp_path / "fresh.pt")
    first, second = (
        open_examined(source, str(root), images=100, batch_size=8) for source in (run, fresh)
    )
    found = compare(first, second, tmp_path / "between")
    assert len(found.closest()) == 3 and "against" in str(found)
    for name, row, value in found.closest():
        column = found.columns.index(name)
        assert found.cka[found.rows.index(row)][column] == value
        assert value == max(line[column] or 0 for line in found.cka)
    monkeypatch.setattr(between_module, "_pass", None)
    assert compare(first, second, tmp_path / "between") == found
    fewer = open_examined(run, str(root), images=10, batch_size=8)
    with pytest.raises(TypeError):  # other images are another comparison
        compare(fewer, second, tmp_path / "between")
    monkeypatch.undo()
    with pytest.raises(UserError, match="not the same images"):
        compare(open_examined(run, str(root), images=9, batch_size=8), second, tmp_path / "other")


HOVER = """
<script>
const row = document.querySelectorAll(".row")[1];
row.dispatchEvent(new MouseEvent("mousemove", { bubbles: true, clientX: 20, clientY: 20 }));
const options = [...document.querySelectorAll("#by option")];
document.body.dataset.options = options.map(option => option.value).join("|");
document.body.dataset.by = document.getElementById("by").value;
</script>
"""


@pytest.mark.slow
def test_the_page_in_a_browser(chromium: str, colours: tuple[str, Path], tmp_path: Path) -> None:
    run, root = colours
    examined = open_examined(run, str(root), images=100, batch_size=8)
    found = examine(examined, tmp_path / "out")
    page = render([found], drawing_of([examined])).replace("</body>", HOVER + "</body>")
    name = found.layers[1].name
    dom = opened(chromium, tmp_path, page, urlencode({"net": run, "layer": name}))
    assert 'data-by="probe, %"' in dom and "probe, %|saturation, %|CKA to output|sees, px" in dom
    (selected,) = re.findall(r'<g class="row[^"]* selected[^"]*"[^>]*data-layer="([^"]*)"', dom)
    assert selected == name
    tip = re.search(r'<div id="tip"[^>]*>(.*?)</div>', dom, re.DOTALL)
    assert tip and f"probe, %: {100 * found.layers[1].probe:.3g}" in tip[1]
    detail = re.search(r'<section id="detail"[^>]*>(.*?)</section>', dom, re.DOTALL)
    assert detail and "saturation, % <b>" in detail[1]
    assert dom.count('class="border"') == 1 and "none</text>" not in dom
    other = opened(chromium, tmp_path, page, urlencode({"by": "saturation, %"}))
    fills = [re.findall(r'class="box"[^>]*fill="([^"]*)"', each) for each in (dom, other)]
    assert len(fills[0]) == 3 and fills[0] != fills[1]


def test_what_does_not_belong_together(colours: tuple[str, Path], tmp_path: Path) -> None:
    run, _ = colours
    other = tmp_path / "two"
    for part in ("train", "val"):
        for name in ("a", "b"):
            folder = other / part / name
            folder.mkdir(parents=True)
            cv2.imwrite(str(folder / "0.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(UserError, match=r"2 classes, but .* was trained for 3"):
        open_examined(run, str(other), images=10)


def layer(name: str, probe: float, beyond: bool = False, gradient: float = 1.0) -> LayerFlow:
    return LayerFlow(name, pathway_of(name), 8, probe, 0.5, None, 9.0, beyond, gradient)


def result(*layers: LayerFlow, samples: int = 1000) -> FlowResult:
    return FlowResult("w", True, ImageSize.of(32), 10, samples, 0.6, layers, [])


def test_layers_behind_the_border_that_add_nothing_are_named() -> None:
    found = result(layer("layers.0", 0.5), layer("layers.1", 0.6), layer("layers.2", 0.605, True))
    (line,) = advice(found)
    assert line.startswith("1 of 3 layers stand behind the border (layers.2)")
    assert "+0.5 points" in line and "candidates to leave out" in line
    useful = result(layer("layers.0", 0.5), layer("layers.1", 0.7, True))
    assert "they do add something" in advice(useful)[0]
    assert advice(result(layer("layers.0", 0.5), layer("layers.1", 0.5))) == []


def test_a_dominated_pathway_is_named() -> None:
    def end(name: str, cka: float, gradient: float) -> LayerFlow:
        return replace(layer(name, 0.5, gradient=gradient), cka_output=cka)

    earlier = [end("layers.0.paths.0.0", 0.1, 1.0), end("layers.0.paths.1.0", 0.9, 1.0)]
    short, long = end("layers.1.paths.0.0", 0.8, 3e-3), end("layers.1.paths.1.1.conv", 0.2, 1e-3)
    inside = end("layers.1.paths.1.0.conv", 0.7, 5e-3)
    line = advice(result(*earlier, short, inside, long))[0]
    assert line.startswith(
        "where pathways last join (layers.1.paths): pathway 0 brings probe 50.0%"
    )
    assert "CKA to the output 0.20, mean gradient 3.0e-03" in line
    assert line.endswith("pathway 0 dominates 1")
    even = advice(result(short, end("layers.1.paths.1.1", 0.5, 1.0)))[0]
    assert even.endswith("none dominates")
    alone = advice(result(short))
    assert alone == []


def test_pathways_are_compared_with_each_other() -> None:
    names = ["layers.0.paths.0.0", "layers.0.paths.1.0", "layers.0.paths.1.1", "layers.1"]
    alike: list[list[float | None]] = [[1.0 - abs(a - b) / 4 for a in range(4)] for b in range(4)]
    found = replace(result(*(layer(name, 0.5) for name in names)), cka=alike)
    page = render([found], Drawing((), {}))
    assert "CKA between pathways" in page and page.count("pathway 0 and 1</figcaption>") == 1
    assert networks_of(page) == []
    alone = replace(result(layer("layers.0", 0.5)), cka=[[1.0]])
    assert "CKA between pathways" not in render([alone], Drawing((), {}))


def test_few_directions_are_a_hint() -> None:
    narrow = replace(layer("layers.0", 0.5), saturation=0.04)
    assert "1 layers use less than 10% of their directions (layers.0)" in advice(result(narrow))[0]


def test_an_unproductive_end_is_left_out() -> None:
    spec = load_model_spec("resnet34")
    names = layer_names(build_network(spec, device="meta"))
    layers = [layer(name, 0.5, beyond=index_of(name) not in range(5)) for name in names]
    shorter = shortened(result(*layers), spec, 32)
    assert shorter is not None and "its last 4 layers" in str(shorter)
    again = ModelSpec.from_text(shorter.spec.resolved_yaml, "shorter.yaml")
    assert [one.block for one in again.layers] == [
        *(one.block for one in spec.layers[:5]), "Classifier"]  # fmt: skip
    assert summarize(again, 32).params == shorter.params[1] < shorter.params[0] / 10
    better = [
        replace(one, probe=0.6) if one.name.startswith("layers.6.") else one for one in layers
    ]
    longer = shortened(result(*better), spec, 32)
    assert longer is not None and longer.without == "its last 2 layers of the backbone"
    all_needed = [layer(name, 0.5) for name in names]
    assert shortened(result(*all_needed), spec, 32) is None
    assert shortened(result(*layers), load_model_spec("yolor-elan-n"), 64) is None


def test_dominated_pathways_are_left_out() -> None:
    spec = load_model_spec("mpnet")
    cka = {"2.0": 0.9, "2.1": 0.3, "3.0": 0.2, "3.1": 0.9}  # layer of the file and pathway

    def flow(name: str) -> LayerFlow:
        known = cka.get(f"{name.split('.')[1]}.{pathway_of(name)}", 0.5)
        return replace(layer(name, 0.5), cka_output=known)

    names = layer_names(build_network(spec, device="meta"))
    fewer = with_fewer_paths(result(*map(flow, names)), spec, 32)
    assert fewer is not None and "the dominated pathways of layers 2, 3: " in str(fewer)
    again = ModelSpec.from_text(fewer.spec.resolved_yaml, "fewer-paths.yaml")
    paths = [one.arguments["paths"] for one in again.layers if "paths" in one.arguments]
    assert [len(each) for each in paths] == [2, 2, 1, 1] and [*paths[2][0], *paths[3][0]] == [
        1,
        3,
        4,
        7,
    ]
    assert summarize(again, 32).params == fewer.params[1] < fewer.params[0]
    assert with_fewer_paths(result(*(layer(name, 0.5) for name in names)), spec, 32) is None


@pytest.mark.parametrize(
    ("name", "pathway"),
    [("layers.2.paths.1.0.conv", "1"), ("layers.2.conv", ""), ("a.branches.0", "0"),
     ("pathways.3.x.paths.2.y", "2"), ("mypaths.3.x", "")],
)  # fmt: skip
def test_pathways_by_name(name: str, pathway: str) -> None:
    assert pathway_of(name) == pathway
    expected = {"layers.2.paths.1.0.conv": "layers.2.paths", "a.branches.0": "a.branches"}
    if name in expected:
        assert block_of(name) == expected[name]
