"""`gradient-paths`: how gradient reaches every layer of a network, before any training."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from yolor_gp.analysis.gradient_flow import load_gradients, measured_by_group
from yolor_gp.analysis.paths.figures import small_networks
from yolor_gp.analysis.paths.gradient_paths import analyse
from yolor_gp.analysis.paths.graph import read_graph
from yolor_gp.analysis.paths.growth import all_growths, growth_table
from yolor_gp.analysis.paths.network_sources import open_network
from yolor_gp.analysis.paths.path_results import NetworkPaths
from yolor_gp.analysis.paths.path_table import (
    comparison_table,
    gradient_table,
    layer_report,
    network_table,
    to_json,
)
from yolor_gp.analysis.paths.published import PUBLISHED_ROWS, comparison_with_ap
from yolor_gp.analysis.paths.report import MeasuredGradients, render_report
from yolor_gp.analysis.paths.stacking import stacking_table
from yolor_gp.errors import UserError
from yolor_gp.files import write_text
from yolor_gp.flags.gradient_paths import parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, analyse, print tables and write the files asked for.

    Raises:
        UserError: When no network is named, or one cannot be read.
    """
    options = parser().parse(arguments)
    names = options.networks or [row.name for row in PUBLISHED_ROWS if options.compare_ap]
    figures = small_networks() if options.figures else []
    for table in _tables(options):
        print(table, end="\n\n")
    if not names and not figures:
        if options.table1 or options.stacking:
            return 0
        raise UserError(
            "gradient_paths.py: nothing to analyse; name model files, or use --figures, --table1,"
            " --stacking or --compare-ap"
        )
    networks = [_analyse(name) for name in names]
    measured = _measured(options, networks)
    _print(options, networks or figures)
    if options.json:
        _write(options.json, json.dumps(to_json(networks or figures), indent=1))
    if options.html:
        _write(options.html, render_report(networks, figures=figures, measured=measured))
    return 0


def _tables(options: argparse.Namespace) -> Iterator[str]:
    """Tables of networks that are built for them.

    Yields:
        The text of each table that was asked for.
    """
    if options.table1:
        yield growth_table(all_growths())
    if options.stacking:
        yield stacking_table()


def _print(options: argparse.Namespace, networks: Sequence[NetworkPaths]) -> None:
    if options.compare_ap:
        print(comparison_with_ap(networks))
        return
    for paths in networks:
        print(layer_report(paths, options.layer) if options.layer else network_table(paths))
        print()
    if len(networks) > 1 and not options.layer:
        print(comparison_table(networks))


def _measured(
    options: argparse.Namespace, networks: Sequence[NetworkPaths]
) -> MeasuredGradients | None:
    """Gradients of a training laid beside the one network they were measured on.

    Raises:
        UserError: When there are several networks, or the file cannot be read.
    """
    if not options.gradients:
        return None
    if len(networks) != 1:
        raise UserError("--gradients belongs to one network; name exactly one")
    found = measured_by_group(load_gradients(options.gradients), networks[0])
    print(gradient_table(networks[0], found))
    return {networks[0].graph.name: found}


def _analyse(name: str) -> NetworkPaths:
    source = open_network(name)
    graph = read_graph(source.network, source.example, name=source.name, entry=source.entry)
    return analyse(graph)


def _write(path: Path, text: str) -> None:
    print(f"wrote {write_text(path, text)}")
