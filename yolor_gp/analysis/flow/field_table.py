"""Receptive fields as a table, and what they predict in words."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from yolor_gp.analysis.flow.receptive_field import LayerField, border, in_words
from yolor_gp.analysis.paths.text_table import text_table


def field_table(layers: Sequence[LayerField], image: int) -> str:
    """One row a layer; beyond the image: `*`, from every pathway: `**`. Sizes in pixels."""
    rows = [
        [
            layer.name,
            in_words(layer.sees_at_least),
            in_words(layer.sees),
            in_words(layer.gives),
            "**" if layer.is_surely_beyond(image) else "*" if layer.is_beyond(image) else "",
        ]
        for layer in layers
    ]
    return text_table(["layer", "sees at least", "sees", "gives", f"> {image} px"], rows)


def prediction(layers: Sequence[LayerField], network: nn.Module, image: int) -> str:
    """The border layer, and how much of the network lies beyond it."""
    first = border(layers, image)
    if first is None:
        return f"at {image} px every layer's input has seen less than the image: no border layer"
    beyond = [layer for layer in layers if layer.is_beyond(image)]
    sure = [layer for layer in layers if layer.is_surely_beyond(image)]
    weights = {name: sum(p.numel() for p in module.parameters(recurse=False))
               for name, module in network.named_modules()}  # fmt: skip
    share = sum(weights.get(layer.name, 0) for layer in beyond) / max(sum(weights.values()), 1)
    return (
        f"border layer at {image} px: {first.name}; {len(beyond)} of {len(layers)} layers"
        f" ({100 * share:.0f}% of the parameters) read what has seen more than the image, and are"
        f" predicted unproductive where one object fills it; {len(sure)} of them by every pathway"
    )
