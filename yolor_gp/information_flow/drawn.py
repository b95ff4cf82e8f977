"""The networks as the page of gradient paths draws them, with what was found of their layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from yolor_gp.analysis.gradient_flow import measured_by_group
from yolor_gp.analysis.paths.gradient_paths import analyse
from yolor_gp.analysis.paths.graph import read_graph
from yolor_gp.analysis.paths.network_sources import network_of_spec
from yolor_gp.analysis.paths.path_results import NetworkPaths
from yolor_gp.analysis.paths.report import Findings, MeasuredGradients
from yolor_gp.errors import UserError
from yolor_gp.information_flow.examined import Examined
from yolor_gp.information_flow.flow_results import FlowResult, LayerFlow

_FIGURES: dict[str, Callable[[LayerFlow], float | None]] = {
    "probe, %": lambda layer: 100 * layer.probe,
    "saturation, %": lambda layer: 100 * layer.saturation,
    "CKA to output": lambda layer: layer.cka_output,
    "sees, px": lambda layer: layer.sees,
}


@dataclass(frozen=True)
class Drawing:
    """Networks that can be drawn.

    Attributes:
        networks: With their gradient paths, named by their sources.
        measured: Gradients of a training, by network.
    """

    networks: tuple[NetworkPaths, ...]
    measured: MeasuredGradients

    def findings(self, results: Sequence[FlowResult]) -> dict[str, Findings]:
        """What is coloured, by network."""
        return {result.source: _findings(result) for result in results}


def drawing_of(
    examined: Sequence[Examined], gradients: Mapping[str, Sequence[float]] | None = None
) -> Drawing:
    """The gradient paths of networks; one that cannot be followed is left out.

    gradients: Mean absolute gradients by layer and channel, of the first.

    Raises:
        UserError: When the gradients are another network's.
    """
    networks = [paths for one in examined if (paths := _paths(one)) is not None]
    measured = {}
    if gradients is not None and networks and networks[0].graph.name == examined[0].source:
        measured[examined[0].source] = measured_by_group(gradients, networks[0])
    return Drawing(tuple(networks), measured)


def _paths(examined: Examined) -> NetworkPaths | None:
    source = network_of_spec(examined.spec, examined.source)
    try:
        graph = read_graph(source.network, source.example, name=source.name, entry=source.entry)
    except UserError:
        return None
    return analyse(graph)


def _findings(result: FlowResult) -> Findings:
    figures = {
        name: {layer.name: _finite(value(layer)) for layer in result.layers}
        for name, value in _FIGURES.items()
    }
    known = {
        name: values for name, values in figures.items()
        if any(value is not None for value in values.values())
    }  # fmt: skip
    return Findings(known, result.border.name if result.border else None)


def _finite(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else value
