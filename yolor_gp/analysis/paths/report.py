"""A self-contained HTML page of gradient paths: plain SVG, a little script, nothing fetched."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import resources
from typing import Any

from yolor_gp.analysis.paths.figures import source_figure, timestamp_figure
from yolor_gp.analysis.paths.path_results import GroupPaths, LayerPaths, NetworkPaths

# Name of a network -> name of a layer -> mean absolute gradient of each channel group.
MeasuredGradients = Mapping[str, Mapping[str, Sequence[float]]]


@dataclass(frozen=True)
class Findings:
    """What else is known of a network's layers, for the page to colour them by and to tell.

    Attributes:
        figures: What a figure is called -> name of a layer -> its value, None where it has none.
        border: Name of the layer before which a line is drawn, None for none.
    """

    figures: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    border: str | None = None

    def of(self, layer: str) -> dict[str, float | None]:
        """All figures of a layer."""
        return {name: values[layer] for name, values in self.figures.items() if layer in values}


_NOTHING = Findings()


def render_report(
    networks: Sequence[NetworkPaths],
    *,
    figures: Sequence[NetworkPaths] = (),
    measured: MeasuredGradients | None = None,
    findings: Mapping[str, Findings] | None = None,
    title: str = "Gradient paths",
    lead: str = "",
    sections: str = "",
) -> str:
    """The page: `networks` side by side; `figures` drawn as in Figs. 7 and 8 [GP].

    Args:
        networks: To draw.
        figures: Small ones.
        measured: Gradients of a training, shown beside the static picture.
        findings: What else is known, by name of the network.
        title: Of the page, as text.
        lead: What stands before the explanation of the drawing, as text.
        sections: HTML that follows.
    """
    page = resources.files("yolor_gp.analysis.paths").joinpath("report.html").read_text("utf-8")
    data = [
        _network(
            paths,
            (measured or {}).get(paths.graph.name, {}),
            (findings or {}).get(paths.graph.name, _NOTHING),
        )
        for paths in networks
    ]
    # "</script>" in a name must not end the script element.
    text = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    drawn = "".join(_figure_section(paths) for paths in figures)
    parts = {
        "<!--title-->": escape(title),
        "<!--lead-->": escape(f"{lead} ") if lead else "",
        "<!--figures-->": drawn,
        "<!--sections-->": sections,
        "/*data*/[]": text,
    }
    # At once: what is put in may look like a mark itself.
    return re.sub("|".join(map(re.escape, parts)), lambda mark: parts[mark[0]], page)


def _figure_section(paths: NetworkPaths) -> str:
    total = paths.total
    return (
        f"<section class='small'><h3>{escape(paths.graph.name)}"
        f"<span>{total.combinations} distinct combinations of {total.sources} sources</span></h3>"
        "<p>Timestamps of each channel group</p>"
        f"<div class='scroll'>{timestamp_figure(paths)}</div>"
        "<p>Sources at each timestamp: dots in the colour of the layer that gradient comes from,"
        f" a ring for the loss</p><div class='scroll'>{source_figure(paths)}</div></section>"
    )


def _network(
    paths: NetworkPaths, measured: Mapping[str, Sequence[float]], findings: Findings
) -> dict[str, Any]:
    total = paths.total
    names = [layer.layer.name for layer in paths.layers]
    return {
        "name": paths.graph.name,
        "longestShortest": total.longest_shortest,
        "longest": total.longest,
        "combinations": total.combinations,
        "sources": total.sources,
        "border": names.index(findings.border) if findings.border in names else None,
        "layers": [
            {**_layer(paths, layer, measured), "figures": findings.of(layer.layer.name)}
            for layer in paths.layers
        ],
    }


def _layer(
    paths: NetworkPaths, found: LayerPaths, measured: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    layer = found.layer
    gradients = measured.get(layer.name, [])
    return {
        "name": layer.name,
        "kind": layer.kind,
        "in": layer.in_channels,
        "out": layer.out_channels,
        "stride": paths.stride(layer),
        "parameters": layer.parameters,
        "shortest": found.shortest,
        "longest": found.longest,
        "combinations": found.combinations,
        "paths": _counts(found.paths_by_length),
        "groups": [
            _group(group, gradients[number] if number < len(gradients) else None)
            for number, group in enumerate(found.groups)
        ],
    }


def _group(group: GroupPaths, gradient: float | None) -> dict[str, Any]:
    return {
        "channels": group.channels,
        "paths": _counts(group.paths_by_length),
        "gradient": gradient,
        # Steps of a source are those of the layer it names, one later; the page adds them up.
        "sources": [
            {
                "layer": source.layer,
                "output": source.output,
                "channels": source.channels,
                "steps": _runs(source.timestamps),
            }
            for source in group.sources
        ],
    }


def _counts(paths_by_length: Mapping[int, int]) -> list[list[int | str]]:
    """[[length, count as text]]: JavaScript numbers are not exact beyond 2^53."""
    return [[length, str(count)] for length, count in paths_by_length.items()]


def _runs(steps: Sequence[int]) -> list[list[int]]:
    """Consecutive steps as [first, last]."""
    runs: list[list[int]] = []
    for step in steps:
        if runs and step == runs[-1][1] + 1:
            runs[-1][1] = step
        else:
            runs.append([step, step])
    return runs
