"""The page of gradient paths, and what it does in a browser (headless Chromium, where there is)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from tests.pages import networks_of, opened
from yolor_gp.analysis.paths.figures import small_networks, source_figure, timestamp_figure
from yolor_gp.analysis.paths.gradient_paths import analyse
from yolor_gp.analysis.paths.graph import read_graph
from yolor_gp.analysis.paths.path_results import NetworkPaths
from yolor_gp.analysis.paths.reference_networks import ResidualNetwork
from yolor_gp.analysis.paths.report import render_report


def masked(name: str = "prn") -> NetworkPaths:
    network = ResidualNetwork(3, masked=0.5)
    return analyse(read_graph(network, torch.empty(2, 3, 8, 8), name=name))


def test_the_page_holds_every_layer_and_group() -> None:
    (network,) = networks_of(render_report([masked()]))
    layers = network["layers"]
    assert isinstance(layers, list)
    assert [len(layer["groups"]) for layer in layers] == [2, 2, 2, 1, 1]
    stem = layers[0]
    assert stem["paths"] == [[2, "1"], [3, "3"], [4, "3"], [5, "1"]]
    assert stem["groups"][1]["sources"] == [
        {"layer": 1, "output": None, "channels": [[2, 4]], "steps": [[3, 5]]}
    ]


def test_a_name_cannot_end_the_script() -> None:
    page = render_report([masked("</script><b>")])
    assert "</script><b>" not in page
    assert networks_of(page)[0]["name"] == "</script><b>"


def test_figures_show_timestamps_and_sources() -> None:
    prn = next(paths for paths in small_networks() if paths.graph.name == "PRN")
    timestamps, sources = timestamp_figure(prn), source_figure(prn)
    # The stem: its kept half at 2 to 6, its masked half without the shortest path.
    assert ">2 3 4 5 6</text>" in timestamps and ">3 4 5 6</text>" in timestamps
    assert "timestamp 1: from loss at output 0" in sources
    assert sources.count("<circle") == sum(
        len(group.sources_at(step))
        for layer in prn.layers
        for group in layer.groups
        for step in group.timestamps
    )


HOVER = """
<script>
const row = document.querySelector('.row[data-layer="stem"]');
row.dispatchEvent(new MouseEvent("mousemove", { bubbles: true, clientX: 20, clientY: 20 }));
document.body.dataset.hovered = document.querySelectorAll(".row.source").length;
</script>
"""


@pytest.mark.slow
def test_an_address_selects_a_layer(chromium: str, tmp_path: Path) -> None:
    dom = opened(chromium, tmp_path, render_report([masked()]), "net=prn&layer=stem&group=0&t=3")
    (row,) = re.findall(r'<g class="row selected"[^>]*data-layer="([^"]*)"', dom)
    assert row == "stem"
    sources = re.findall(r'<g class="row source"[^>]*data-layer="([^"]*)"', dom)
    assert sources == ["blocks.0.0", "blocks.1.0", "blocks.2.0"]
    assert "Timestamp 3: 3 paths, gradient from" in dom
    assert "blocks.0.0 [in 0\u20131]" in dom


@pytest.mark.slow
def test_hovering_marks_sources_and_tells_them(chromium: str, tmp_path: Path) -> None:
    page = render_report([masked()]).replace("</body>", HOVER + "</body>")
    dom = opened(chromium, tmp_path, page)
    assert 'data-hovered="4"' in dom  # three blocks and the output layer
    tip = re.search(r'<div id="tip"[^>]*>(.*?)</div>', dom, re.DOTALL)
    assert tip and "channels 2\u20133: 3 timestamps (3\u20135), from blocks.0.0" in tip[1]
