"""Pictures laid out on a canvas, of which an affine map then shows a part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yolor_gp.data.labels.instances import Instances
from yolor_gp.ops.image_size import ImageSize

Picture = NDArray[np.uint8]
"""u8[H, W, 3], RGB."""

Planes = NDArray[np.uint8]
"""u8[3, H, W]: red, green and blue, as the network takes them."""


@dataclass(frozen=True)
class Tile:
    """One picture with its objects.

    scale: (x, y) factors from the pixels of `instances` to those of `image`; left, top: where the
    picture begins on the canvas, which cuts off what lies outside it.
    """

    image: Picture
    instances: Instances
    scale: tuple[float, float]
    left: int = 0
    top: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.image.shape[0], self.image.shape[1]


@dataclass(frozen=True)
class Scene:
    """Tiles that do not overlap on a canvas of size `canvas`; the rest is grey."""

    tiles: tuple[Tile, ...]
    canvas: ImageSize


def single(tile: Tile, size: ImageSize) -> Scene:
    """One picture in the centre of a canvas, as the letterbox places it."""
    height, width = tile.size
    centred = Tile(
        tile.image,
        tile.instances,
        tile.scale,
        (size.width - width) // 2,
        (size.height - height) // 2,
    )
    return Scene((centred,), size)


def mosaic(tiles: Sequence[Tile], size: ImageSize, centre: tuple[int, int]) -> Scene:
    """Four pictures around `centre` (x, y) on a canvas of twice the sides [YOLOv4, 3.3].

    Top left, top right, bottom left, bottom right; each touches the centre with a corner.

    Raises:
        ValueError: When there are not four tiles.
    """
    if len(tiles) != 4:
        raise ValueError(f"mosaic: expected 4 tiles, got {len(tiles)}")
    x, y = centre
    placed = []
    for position, tile in enumerate(tiles):
        height, width = tile.size
        left = x - width if position % 2 == 0 else x
        top = y - height if position < 2 else y
        placed.append(Tile(tile.image, tile.instances, tile.scale, left, top))
    return Scene(tuple(placed), ImageSize(2 * size.height, 2 * size.width))
