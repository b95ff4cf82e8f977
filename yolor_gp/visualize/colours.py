"""A colour for every class, the same in every picture."""

from __future__ import annotations

import colorsys
from typing import TypeAlias

Colour: TypeAlias = tuple[int, int, int]
"""Red, green, blue in 0..255."""

_GOLDEN_RATIO = 0.618033988749895  # steps of it around the hue circle never come close again
_LEVELS = ((0.75, 1.0), (1.0, 0.8), (0.5, 1.0))  # saturation and value, changed every few classes


def class_colour(label: int) -> Colour:
    """The colour of a class: saturated, apart from its neighbours', independent of the data set."""
    saturation, value = _LEVELS[label // 8 % len(_LEVELS)]
    red, green, blue = colorsys.hsv_to_rgb(label * _GOLDEN_RATIO % 1.0, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def text_colour(background: Colour) -> Colour:
    """Black or white, whichever is legible on `background` (Rec. 601 luma)."""
    red, green, blue = background
    return (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else (255, 255, 255)
