"""`gradient-paths`: how gradient reaches every layer of a network, before any training."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from yolor_gp.analysis.figures import small_networks
from yolor_gp.analysis.gradient_paths import NetworkPaths, analyse
from yolor_gp.analysis.graph import read_graph
from yolor_gp.analysis.network_sources import open_network
from yolor_gp.analysis.path_table import comparison_table, layer_report, network_table, to_json
from yolor_gp.analysis.report import render_report
from yolor_gp.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, analyse, print tables and write the files asked for."""
    options = _parser().parse_args(arguments)
    figures = small_networks() if options.figures else []
    networks = [_analyse(source) for source in options.networks]
    if not networks and not figures:
        raise UserError("gradient-paths: nothing to analyse; name model files, or use --figures")
    for paths in networks or figures:
        print(layer_report(paths, options.layer) if options.layer else network_table(paths))
        print()
    if len(networks or figures) > 1 and not options.layer:
        print(comparison_table(networks or figures))
    if options.json:
        _write(options.json, json.dumps(to_json(networks or figures), indent=1))
    if options.html:
        _write(options.html, render_report(networks, figures=figures))
    return 0


def _analyse(text: str) -> NetworkPaths:
    source = open_network(text)
    return analyse(read_graph(source.network, source.example, name=source.name, entry=source.entry))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None
    print(f"wrote {path}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gradient-paths",
        description="Lengths, counts, timestamps and sources of gradient paths (see"
        " docs/gradient-paths.md).",
    )
    parser.add_argument(
        "networks",
        nargs="*",
        metavar="NETWORK",
        help="a model file, a shipped name (yolor-csp), or torchvision:resnet50 and the like",
    )
    parser.add_argument("--layer", help="print one layer: its paths and sources by timestamp")
    parser.add_argument("--json", type=Path, metavar="F", help="write everything as JSON")
    parser.add_argument("--html", type=Path, metavar="F", help="write a page to look at")
    parser.add_argument(
        "--figures",
        action="store_true",
        help="small ResNet, PRN, DenseNet and SparseNet drawn as in Figs. 7 and 8 of the paper",
    )
    return parser
