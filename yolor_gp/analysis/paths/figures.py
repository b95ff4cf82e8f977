"""Small networks drawn as in Figs. 7 and 8 [GP]: timestamps, and the sources at each of them."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import torch

from yolor_gp.analysis.paths.gradient_paths import analyse
from yolor_gp.analysis.paths.graph import read_graph
from yolor_gp.analysis.paths.path_results import GroupPaths, LayerPaths, NetworkPaths
from yolor_gp.analysis.paths.path_table import intervals_text, source_text
from yolor_gp.analysis.paths.reference_networks import AggregationNetwork, ResidualNetwork

_BOX, _GAP, _LEFT, _ARCS, _LINE = 86, 34, 14, 78, 15
_HUES = 8  # colours --source-0 ... in the page's style sheet


def small_networks(depth: int = 4) -> list[NetworkPaths]:
    """ResNet, PRN, DenseNet and SparseNet with `depth` layers between stem and output."""
    networks = {
        "ResNet": ResidualNetwork(depth),
        "PRN": ResidualNetwork(depth, masked=0.5),
        "DenseNet": AggregationNetwork("DenseNet", depth),
        "SparseNet": AggregationNetwork("Sparse DenseNet", depth),
    }
    example = torch.empty(2, 3, 8, 8)
    return [analyse(read_graph(network, example, name=name)) for name, network in networks.items()]


def timestamp_figure(paths: NetworkPaths) -> str:
    """As Fig. 7: an SVG of the layers, in each channel group its timestamps."""

    def lines(group: GroupPaths) -> list[str]:
        return [_text(step) for step in _wrapped(group.timestamps)]

    return _figure(paths, lines, "gradient timestamps")


def source_figure(paths: NetworkPaths) -> str:
    """As Fig. 8: an SVG of the layers, in each channel group the sources at each timestamp."""

    def lines(group: GroupPaths) -> list[str]:
        return [_source_line(paths, group, timestamp) for timestamp in group.timestamps]

    return _figure(paths, lines, "gradient sources")


def _wrapped(timestamps: tuple[int, ...]) -> list[str]:
    words = [str(timestamp) for timestamp in timestamps] or ["none"]
    return [" ".join(words[start : start + 5]) for start in range(0, len(words), 5)]


def _text(words: str, x: int = 8) -> str:
    return f'<text x="{x}" y="11">{escape(words)}</text>'


def _source_line(paths: NetworkPaths, group: GroupPaths, timestamp: int) -> str:
    marks = [_text(str(timestamp))]
    for number, source in enumerate(group.sources_at(timestamp)):
        hue = "loss" if source.layer is None else str(source.layer % _HUES)
        title = escape(f"timestamp {timestamp}: from {source_text(paths, source)}")
        marks.append(
            f'<circle class="hue-{hue}" cx="{28 + 11 * number}" cy="7" r="4">'
            f"<title>{title}</title></circle>"
        )
    return "".join(marks)


def _figure(paths: NetworkPaths, lines: Callable[[GroupPaths], list[str]], what: str) -> str:
    columns = [_column(layer, lines) for layer in paths.layers]
    width = 2 * _LEFT + len(columns) * (_BOX + _GAP) + 30
    height = _ARCS + 26 + max(column_height for _, column_height in columns) + 14
    label = escape(f"{paths.graph.name}: {what}")
    parts = [
        f'<svg class="figure" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' role="img" aria-label="{label}">'
    ]
    parts += [_arc(source, layer) for layer in paths.layers for source in _consumers(layer)]
    for index, (column, _) in enumerate(columns):
        parts.append(f'<g transform="translate({_x(index)} {_ARCS})">{column}</g>')
    end = _x(len(columns))
    parts.append(f'<text class="loss" x="{end - 4}" y="{_ARCS + 16}">loss</text></svg>')
    return "".join(parts)


def _x(index: int) -> int:
    return _LEFT + index * (_BOX + _GAP)


def _column(found: LayerPaths, lines: Callable[[GroupPaths], list[str]]) -> tuple[str, int]:
    """A layer: its name in its own colour, then one box a channel group; and the height."""
    hue = found.layer.index % _HUES
    parts = [
        f'<rect class="head hue-{hue}" width="{_BOX}" height="22" rx="4"/>'
        f'<text class="name" x="{_BOX // 2}" y="15">{escape(_short(found.layer.name))}</text>'
    ]
    y = 26
    for group in found.groups:
        inside = lines(group)
        height = _LINE * len(inside) + 8
        title = escape(f"channels {intervals_text(group.channels)}")
        parts.append(
            f'<g transform="translate(0 {y})"><rect class="group" width="{_BOX}"'
            f' height="{height}" rx="4"><title>{title}</title></rect>'
        )
        parts += [
            f'<g transform="translate(0 {4 + _LINE * number})">{line}</g>'
            for number, line in enumerate(inside)
        ]
        parts.append("</g>")
        y += height + 4
    return "".join(parts), y


def _short(name: str) -> str:
    parts = [part for part in name.split(".") if part not in ("blocks", "layers")]
    return f"layer {int(parts[0]) + 1}" if parts[0].isdigit() else name


def _consumers(found: LayerPaths) -> list[tuple[int, int]]:
    """(layer, later layer that takes its output), each once."""
    taken = {source.layer for group in found.groups for source in group.sources}
    return [(found.layer.index, layer) for layer in sorted(t for t in taken if t is not None)]


def _arc(pair: tuple[int, int], found: LayerPaths) -> str:
    start, stop = pair
    x0, x1 = _x(start) + _BOX, _x(stop)
    if stop == start + 1:
        return f'<path class="edge" d="M{x0} {_ARCS + 11} H{x1}"/>'
    rise = min(_ARCS - 8, 18 + 15 * (stop - start - 1))
    x0, x1 = x0 - 16, x1 + 16
    return (
        f'<path class="edge" d="M{x0} {_ARCS} C{x0 + 14} {_ARCS - rise} {x1 - 14} {_ARCS - rise}'
        f' {x1} {_ARCS}"/>'
    )
