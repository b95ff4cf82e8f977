"""Pictures in the manner of Figs. 1 to 9 [FLOW]: probes, saturation, gradients, CKA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from yolor_gp.information_flow.between import Between
from yolor_gp.information_flow.flow_results import FlowResult, LayerFlow
from yolor_gp.visualize.plots import Target, new_panels, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = ("#1769c2", "#d9480f", "#2b8a3e", "#8159b5", "#a8841f")


def plot_probes(result: FlowResult, path: Target) -> None:
    """Probe accuracy by layer, a line a pathway; the network's own as a dashed line."""
    figure, (axes,) = new_panels(1, 1, (10.0, 4.5))
    _by_pathway(axes, result, lambda layer: 100 * layer.probe)
    if result.accuracy is not None:
        axes.axhline(100 * result.accuracy, color="gray", linestyle="--", label="the network")
    _finish(axes, result, "accuracy of probes, %")
    save_figure(figure, path)


def plot_saturation(result: FlowResult, path: Target) -> None:
    """Bars by layer, in the colour of the pathway."""
    figure, (axes,) = new_panels(1, 1, (10.0, 4.5))
    pathways = pathways_of(result)
    values = [100 * layer.saturation for layer in result.layers]
    colours = [_COLOURS[pathways.index(layer.pathway) % len(_COLOURS)] for layer in result.layers]
    axes.bar(range(len(values)), values, color=colours)
    _finish(axes, result, "saturation, %")
    save_figure(figure, path)


def plot_gradients(result: FlowResult, path: Target) -> None:
    """Mean absolute gradient by layer, a line a pathway, on a logarithmic axis."""
    figure, (axes,) = new_panels(1, 1, (10.0, 4.5))
    _by_pathway(axes, result, lambda layer: layer.gradient)
    axes.set_yscale("log")
    _finish(axes, result, "mean |gradient| over training")
    save_figure(figure, path)


def plot_output_cka(result: FlowResult, path: Target) -> None:
    """How like the output each layer is, a line a pathway."""
    figure, (axes,) = new_panels(1, 1, (10.0, 4.5))
    _by_pathway(axes, result, lambda layer: layer.cka_output)
    _finish(axes, result, "linear CKA to the output")
    save_figure(figure, path)


def plot_cka(result: FlowResult, path: Target) -> None:
    """The heat map of every pair of layers."""
    names = [layer.name for layer in result.layers]
    _heat_map(result.cka, names, names, "linear CKA of layers", path)


def plot_pathways(result: FlowResult, first: str, second: str, path: Target) -> None:
    """The heat map of the layers of two pathways, as in Figs. 8 and 9."""
    places = [
        [k for k, layer in enumerate(result.layers) if layer.pathway == pathway]
        for pathway in (first, second)
    ]
    rows, columns = ([result.layers[k].name for k in own] for own in places)
    values = [[result.cka[row][column] for column in places[1]] for row in places[0]]
    title = f"linear CKA: pathway {first} (up) and {second} (right)"
    _heat_map(values, rows, columns, title, path)


def plot_between(between: Between, path: Target) -> None:
    """The heat map of the layers of two networks."""
    title = f"linear CKA: {between.first} (up) and {between.second} (right)"
    _heat_map(between.cka, between.rows, between.columns, title, path)


def plot_side_by_side(results: Sequence[FlowResult], path: Target) -> None:
    """Probe accuracy of several networks by the share of their layers that has been run."""
    figure, (axes,) = new_panels(1, 1, (10.0, 4.5))
    for number, result in enumerate(results):
        depth = np.linspace(0, 100, len(result.layers))
        colour = _COLOURS[number % len(_COLOURS)]
        probes = [100 * layer.probe for layer in result.layers]
        axes.plot(depth, probes, marker="o", markersize=3, color=colour, label=result.source)
        if result.accuracy is not None:
            axes.axhline(100 * result.accuracy, color=colour, linestyle="--")
    axes.set_xlabel("layers run, %")
    axes.set_title("accuracy of probes, %", fontsize=10)
    axes.legend(fontsize=8, frameon=False)
    axes.grid(alpha=0.3)
    save_figure(figure, path)


def _heat_map(
    values: Sequence[Sequence[float | None]],
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    path: Target,
) -> None:
    high, wide = (min(4 + 0.12 * len(names), 14.0) for names in (rows, columns))
    figure, (axes,) = new_panels(1, 1, (wide + 1, high))
    matrix = np.array([[np.nan if v is None else v for v in row] for row in values])
    image = axes.imshow(matrix, vmin=0, vmax=1, cmap="magma", origin="lower")
    figure.colorbar(image, ax=axes, shrink=0.8)
    axes.grid(visible=False)
    axes.set_title(title, fontsize=10)
    axes.set_xticks(range(len(columns)), _labels(columns), rotation=90, fontsize=_font(columns))
    axes.set_yticks(range(len(rows)), _labels(rows), fontsize=_font(rows))
    save_figure(figure, path)


def _by_pathway(axes: Axes, result: FlowResult, value: Callable[[LayerFlow], float | None]) -> None:
    for number, pathway in enumerate(pathways_of(result)):
        points = [
            (place, found)
            for place, layer in enumerate(result.layers)
            if layer.pathway == pathway and (found := value(layer)) is not None
        ]
        if points:
            label = f"pathway {pathway}" if pathway else "layers"
            colour = _COLOURS[number % len(_COLOURS)]
            axes.plot(*zip(*points, strict=True), marker="o", color=colour, label=label)


def _finish(axes: Axes, result: FlowResult, title: str) -> None:
    border = result.border
    if border is not None:
        place = result.layers.index(border)
        axes.axvline(place - 0.5, color="black", linestyle=":", label="border layer")
    names = [layer.name for layer in result.layers]
    axes.set_xticks(range(len(names)), _labels(names), rotation=90, fontsize=_font(names))
    axes.set_title(title, fontsize=10)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=8, frameon=False)
    axes.grid(alpha=0.3)


def pathways_of(result: FlowResult) -> list[str]:
    """Their names, "" for layers in none."""
    return sorted({layer.pathway for layer in result.layers})


def _labels(names: Sequence[str]) -> list[str]:
    return [name.removeprefix("layers.") for name in names]


def _font(names: Sequence[str]) -> float:
    return 7 if len(names) <= 40 else 4
