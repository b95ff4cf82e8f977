"""Gradient paths as text tables and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from yolor_gp.analysis.paths.path_results import (
    GroupPaths,
    Intervals,
    LayerPaths,
    NetworkPaths,
    Source,
)
from yolor_gp.analysis.paths.text_table import text_table
from yolor_gp.errors import UserError


def network_table(paths: NetworkPaths) -> str:
    """One row per stage (stride) and one for the whole network."""
    rows = [
        [
            statistics.name,
            str(statistics.layers),
            _or_dash(statistics.longest_shortest),
            _or_dash(statistics.longest),
            str(statistics.combinations),
            str(statistics.sources),
        ]
        for statistics in (*paths.stages, paths.total)
    ]
    rows[-1][0] = "network"
    header = ["stage", "layers", "longest shortest", "longest", "combinations", "sources"]
    return f"{paths.graph.name}\n{text_table(header, rows)}"


def layer_report(paths: NetworkPaths, name: str) -> str:
    """One layer: paths by length, and the sources at each timestamp of each channel group.

    Raises:
        UserError: When there is no such layer; names like it are told.
    """
    layers = {layer.layer.name: layer for layer in paths.layers}
    if name not in layers:
        near = [known for known in layers if name in known] or list(layers)
        raise UserError(
            f"{paths.graph.name}: no layer '{name}'; names like it: {', '.join(near[:12])}"
        )
    found = layers[name]
    lines = [
        f"{paths.graph.name}: {name}: {_describe(found)}",
        f"  shortest {_or_dash(found.shortest)}, longest {_or_dash(found.longest)},"
        f" combinations {found.combinations}",
    ]
    for group in found.groups:
        lines.append(f"  channels {intervals_text(group.channels)}")
        if not group.timestamps:
            lines.append("    no gradient arrives")
        for timestamp in group.timestamps:
            sources = ", ".join(source_text(paths, s) for s in group.sources_at(timestamp))
            count = group.paths_by_length[timestamp]
            lines.append(f"    timestamp {timestamp}: {count} paths; from {sources}")
    return "\n".join(lines)


def source_text(paths: NetworkPaths, source: Source) -> str:
    """The consumer that gradient comes from, with its input channels where not all."""
    if source.layer is None:
        return f"loss at output {source.output}"
    layer = paths.layers[source.layer].layer
    whole = source.channels == ((0, layer.in_channels),)
    return layer.name if whole else f"{layer.name}[{intervals_text(source.channels)}]"


def intervals_text(intervals: Intervals) -> str:
    """Channels as text: "0-31 64-95", both ends included."""
    return " ".join(
        str(start) if stop == start + 1 else f"{start}-{stop - 1}" for start, stop in intervals
    )


def to_json(networks: Iterable[NetworkPaths]) -> list[dict[str, Any]]:
    """The machine-readable form. Counts are integers of any size, keys of objects are strings."""
    return [
        {
            "name": paths.graph.name,
            "longest_shortest": paths.total.longest_shortest,
            "longest": paths.total.longest,
            "combinations": paths.total.combinations,
            "sources": paths.total.sources,
            "stages": [
                {
                    "name": stage.name,
                    "layers": stage.layers,
                    "longest_shortest": stage.longest_shortest,
                    "longest": stage.longest,
                    "combinations": stage.combinations,
                }
                for stage in paths.stages
            ],
            "layers": [_layer_json(paths, layer) for layer in paths.layers],
        }
        for paths in networks
    ]


def _layer_json(paths: NetworkPaths, found: LayerPaths) -> dict[str, Any]:
    return {
        "name": found.layer.name,
        "kind": found.layer.kind,
        "in_channels": found.layer.in_channels,
        "out_channels": found.layer.out_channels,
        "stride": paths.stride(found.layer),
        "shortest": found.shortest,
        "longest": found.longest,
        "combinations": found.combinations,
        "paths_by_length": _counts(found.paths_by_length),
        "groups": [_group_json(paths, group) for group in found.groups],
    }


def _group_json(paths: NetworkPaths, group: GroupPaths) -> dict[str, Any]:
    return {
        "channels": [list(interval) for interval in group.channels],
        "timestamps": list(group.timestamps),
        "paths_by_length": _counts(group.paths_by_length),
        "sources": [
            {
                "layer": None if s.layer is None else paths.layers[s.layer].layer.name,
                "output": s.output,
                "channels": [list(interval) for interval in s.channels],
                "timestamps": list(s.timestamps),
                "routes": s.routes,
            }
            for s in group.sources
        ],
    }


def _counts(paths_by_length: Mapping[int, int]) -> dict[str, int]:
    return {str(length): count for length, count in paths_by_length.items()}


def _describe(found: LayerPaths) -> str:
    layer = found.layer
    return f"{layer.kind} {layer.in_channels} -> {layer.out_channels}"


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)


def gradient_table(paths: NetworkPaths, measured: Mapping[str, Sequence[float]]) -> str:
    """One row per channel group: its static figures, and the gradient measured in a training."""
    rows = [
        [
            layer.layer.name,
            intervals_text(group.channels),
            _or_dash(min(group.timestamps, default=None)),
            _or_dash(max(group.timestamps, default=None)),
            f"{gradient:.3e}",
        ]
        for layer in paths.layers
        for group, gradient in zip(layer.groups, measured[layer.layer.name], strict=True)
    ]
    header = ["layer", "channels", "shortest", "longest", "mean |gradient|"]
    return f"{paths.graph.name}\n{text_table(header, rows)}"


def comparison_table(networks: Sequence[NetworkPaths]) -> str:
    """One row per network."""
    rows = [
        [
            paths.graph.name,
            str(paths.total.layers),
            _or_dash(paths.total.longest_shortest),
            _or_dash(paths.total.longest),
            str(paths.total.combinations),
            str(paths.total.sources),
            f"{float(sum(paths.layers[0].paths_by_length.values())):.3g}",
        ]
        for paths in networks
    ]
    header = [
        "network",
        "layers",
        "longest shortest",
        "longest",
        "combinations",
        "sources",
        "paths to first",
    ]
    return text_table(header, rows)
