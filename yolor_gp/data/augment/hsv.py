"""Random gains of hue, saturation and value, without leaving RGB.

With M the largest of a pixel's channels, HSV's value is M and its saturation 1 - (smallest) / M. So
multiplying value by v and saturation by s turns each channel c into v (M - s (M - c)), a weighted
sum of M and c. Two things differ from a way through HSV and back: a channel that would leave 0..255
is cut there by itself, so that overexposed colours turn white; and the hue turns by the same angle
for all colours, where a factor would leave red as it is and turn violet most. With the default
recipe and COCO's pictures that is 1.2 grey levels of the 26 by which gains change a picture.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from yolor_gp.config.train_config import AugmentConfig
from yolor_gp.data.augment.scene import Picture, Planes
from yolor_gp.ops.letterbox import PADDING_GREY

Gains = tuple[float, float, float]

_ROWS = 160
"""Rows worked on at a time, so that the processor's nearer caches hold them."""


def draw_gains(generator: Generator, config: AugmentConfig) -> Gains:
    """Factors around 1 for hue, saturation and value. Always draws three numbers."""
    hue, saturation, value = generator.uniform(-1, 1, 3).tolist()
    return 1 + hue * config.hue, 1 + saturation * config.saturation, 1 + value * config.value


def recolour(image: Picture, gains: Gains, out: Planes) -> None:
    """u8[H, W, 3] in other colours -> u8[3, H, W].

    A hue gain of 1 + t turns the circle of colours by t times 180 degrees.
    """
    hue, saturation, value = gains
    turn = _turn((hue - 1) * math.pi)
    for first in range(0, image.shape[0], _ROWS):
        rows = slice(first, first + _ROWS)
        turned = image[rows] if hue == 1 else cv2.transform(image[rows], turn)
        planes = list(out[:, rows])
        cv2.split(turned, planes)
        if (saturation, value) != (1, 1):
            largest = cv2.max(cv2.max(planes[0], planes[1]), planes[2])
            for plane in planes:
                cv2.addWeighted(
                    largest, value * (1 - saturation), plane, value * saturation, 0, dst=plane
                )


def grey_before(gains: Gains) -> int:
    """The grey that these gains turn into that of the padding, as nearly as eight bits can."""
    value = gains[2]
    return min(round(PADDING_GREY / value), 255) if value else PADDING_GREY


def _turn(angle: float) -> NDArray[np.float64]:
    """RGB turned around its grey axis, from red towards green: f64[3, 3]."""
    around = (1 - math.cos(angle)) / 3
    across = math.sin(angle) / math.sqrt(3)
    turned: NDArray[np.float64] = np.full((3, 3), around)
    turned += math.cos(angle) * np.eye(3)
    turned += across * np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    return turned
