"""One page of networks examined: drawn layer by layer, with pictures and every figure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import combinations

from yolor_gp.analysis.flow.receptive_field import in_words
from yolor_gp.analysis.paths.report import render_report
from yolor_gp.information_flow.between import Between
from yolor_gp.information_flow.drawn import Drawing
from yolor_gp.information_flow.flow_plots import (
    pathways_of,
    plot_between,
    plot_cka,
    plot_gradients,
    plot_output_cka,
    plot_pathways,
    plot_probes,
    plot_saturation,
    plot_side_by_side,
)
from yolor_gp.information_flow.flow_results import FlowResult
from yolor_gp.visualize.page import grid, picture, section, table

_PATHWAYS = 3
"""Compared with each other, at most."""


def render(
    results: Sequence[FlowResult],
    drawing: Drawing,
    *,
    words: Sequence[str] = (),
    betweens: Sequence[Between] = (),
) -> str:
    """HTML that fetches nothing.

    Args:
        results: The network, and those it is held against.
        drawing: The same to draw.
        words: What it says to a designer.
        betweens: The network against each of the others.
    """
    body = []
    if words:
        body.append(section("Advice", "".join(f"<p>{escape(line)}.</p>" for line in words)))
    if len(results) > 1:
        drawn = picture(lambda file: plot_side_by_side(results, file), "by depth")
        body.append(section("Probes of all networks", drawn))
    for between in betweens:
        drawn = picture(lambda file, pair=between: plot_between(pair, file), str(between))  # type: ignore[misc]
        body.append(section(f"CKA with {between.second}", drawn))
    for result in results:
        body += _of_network(result, f" of {result.source}" if len(results) > 1 else "")
    return render_report(
        drawing.networks, measured=drawing.measured, findings=drawing.findings(results),
        title=f"Information flow: {results[0].source}", lead=_lead(results[0]),
        sections="\n".join(body),
    )  # fmt: skip


def _lead(result: FlowResult) -> str:
    what = "images" if result.is_classifier else "objects"
    own = "" if result.accuracy is None else f", right on {100 * result.accuracy:.1f}% of them"
    return (
        f"{len(result.layers)} layers at {result.size} px, {result.classes} classes of {what}{own}."
    )


def _of_network(result: FlowResult, whose: str) -> list[str]:
    layers = result.layers
    parts = [
        ("Probes", plot_probes, "by layer", True),
        ("Saturation", plot_saturation, "by layer", True),
        ("Gradients", plot_gradients, "by layer and pathway", any(one.gradient for one in layers)),
        ("CKA to the output", plot_output_cka, "by layer and pathway", result.is_classifier),
        ("CKA", plot_cka, "of every pair", True),
    ]
    body = [
        section(f"{title}{whose}", picture(lambda file, draw=draw: draw(result, file), words))  # type: ignore[misc]
        for title, draw, words, is_known in parts
        if is_known
    ]
    pathways = [pathway for pathway in pathways_of(result) if pathway]
    if len(pathways) > 1:
        pairs = [
            picture(lambda file, one=one, two=two: plot_pathways(result, one, two, file),  # type: ignore[misc]
                    f"pathway {one} and {two}")
            for one, two in combinations(pathways[:_PATHWAYS], 2)
        ]  # fmt: skip
        body.append(section(f"CKA between pathways{whose}", grid(pairs)))
    return [*body, section(f"Figures{whose}", _figures(result))]


def _figures(result: FlowResult) -> str:
    rows = []
    for layer in result.layers:
        sees = "" if layer.sees is None else in_words(layer.sees)
        rows.append([
            layer.name, layer.pathway, str(layer.channels),
            f"{sees} *" if layer.is_beyond else sees,
            f"{100 * layer.probe:.1f}", f"{100 * layer.saturation:.1f}",
            "" if layer.cka_output is None else f"{layer.cka_output:.3f}",
            "" if layer.gradient is None else f"{layer.gradient:.2e}",
        ])  # fmt: skip
    heads = ["layer", "pathway", "channels", "sees, px", "probe, %", "saturation, %",
             "CKA to output", "mean |gradient|"]  # fmt: skip
    return table(heads, rows) + "<p class='lead'>* has seen more than the image</p>"
