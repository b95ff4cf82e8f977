"""An augmentation: pictures of things without an up, turned by 90, 180 or 270 degrees.

In a recipe: `augment: {transforms: [{QuarterTurn: {probability: 0.5}}]}`.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from yolor_gp.data.augment.affine import transform_instances
from yolor_gp.data.augment.scene import Picture
from yolor_gp.data.augment.transforms import register_transform
from yolor_gp.data.labels.instances import Instances


@register_transform("QuarterTurn")
class QuarterTurn:
    """Boxes and outlines turn with the pixels."""

    def __init__(self, probability: float = 0.75) -> None:
        if not 0 <= probability <= 1:
            raise ValueError(f"probability {probability} is not in 0..1")
        self.probability = probability

    def __call__(
        self, generator: Generator, image: Picture, instances: Instances
    ) -> tuple[Picture, Instances]:
        """u8[S, S, 3] and its objects, turned; training pictures are square."""
        chance, turns = generator.random(), int(generator.integers(1, 4))
        if chance >= self.probability:
            return image, instances
        side = image.shape[0]
        once = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, side], [0.0, 0.0, 1.0]])  # x, y -> y, side-x
        matrix = np.linalg.matrix_power(once, turns)
        return np.rot90(image, turns), transform_instances(instances, matrix, side, side)
