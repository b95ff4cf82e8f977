"""Random gains of hue, saturation and value."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from yolor_gp.config.train_config import AugmentConfig
from yolor_gp.data.augment.scene import Picture
from yolor_gp.data.augment.strips import strips

Gains = tuple[float, float, float]


def draw_gains(generator: Generator, config: AugmentConfig) -> Gains:
    """Factors around 1 for hue, saturation and value. Always draws three numbers."""
    hue, saturation, value = generator.uniform(-1, 1, 3).tolist()
    return 1 + hue * config.hue, 1 + saturation * config.saturation, 1 + value * config.value


def jitter(image: Picture, gains: Gains, dst: Picture | None = None) -> Picture:
    """Multiply hue, saturation and value of u8[H, W, 3] RGB; write to `dst`, or a new picture.

    Saturation and value are cut at 255; a hue beyond the full circle goes round. `dst` may be
    `image` itself.
    """
    result = np.empty_like(image) if dst is None else dst
    factors = np.diag(gains)
    for rows in strips(image):
        hsv = cv2.cvtColor(image[rows], cv2.COLOR_RGB2HSV)
        cv2.transform(hsv, factors, dst=hsv)
        cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB, dst=result[rows])
    return result


def is_neutral(gains: Gains) -> bool:
    """Whether gains change nothing."""
    return gains == (1.0, 1.0, 1.0)
