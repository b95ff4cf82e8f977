"""One page of a network examined."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from yolor_gp.analysis.flow.receptive_field import in_words
from yolor_gp.information_flow.flow_plots import (
    plot_cka,
    plot_gradients,
    plot_probes,
    plot_saturation,
)
from yolor_gp.information_flow.flow_results import FlowResult
from yolor_gp.visualize.page import picture, section, table, whole_page


def render(result: FlowResult, words: Sequence[str] = ()) -> str:
    """HTML that fetches nothing; `words`: what it says to a designer."""
    what = "images" if result.is_classifier else "objects"
    own = "" if result.accuracy is None else f", right on {100 * result.accuracy:.1f}% of them"
    lead = (
        f"{len(result.layers)} layers at {result.size} px, {result.classes} classes of {what}{own}"
    )
    body = [
        f"<h1>{escape(result.source)}</h1><p class='lead'>{escape(lead)}</p>",
        section("Advice", "".join(f"<p>{escape(line)}.</p>" for line in words)) if words else "",
        section("Probes", picture(lambda file: plot_probes(result, file), "by layer")),
        section("Saturation", picture(lambda file: plot_saturation(result, file), "by layer")),
    ]
    if any(layer.gradient for layer in result.layers):
        drawn = picture(lambda file: plot_gradients(result, file), "by layer and pathway")
        body.append(section("Gradients", drawn))
    body.append(section("CKA", picture(lambda file: plot_cka(result, file), "of every pair")))
    body.append(section("Figures", _figures(result)))
    return whole_page(f"Information flow: {result.source}", "\n".join(body))


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
