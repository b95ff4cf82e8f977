"""Pictures of what a classifier is given and of what it makes of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from yolor_gp.classification.batches import ClassBatch
from yolor_gp.visualize.batches import tile
from yolor_gp.visualize.colours import class_colour
from yolor_gp.visualize.draw import draw_label

_SIDE = 160
"""Of an image in a picture of a batch, in pixels."""

_CORNER = np.zeros(4, np.float32)


def batch_picture(
    batch: ClassBatch, names: Sequence[str], logits: Tensor | None = None, limit: int = 16
) -> NDArray[np.uint8]:
    """The first `limit` images with their classes, tiled: u8[H, W, 3] RGB.

    logits: f32[B, C]; each image then says what it was taken for, and what it is.
    """
    tiles = []
    for index in range(min(len(batch), limit)):
        pixels = batch.images[index].permute(1, 2, 0)
        if pixels.is_floating_point():
            pixels = (pixels * 255).byte()
        image = cv2.resize(pixels.numpy(), (_SIDE, _SIDE), interpolation=cv2.INTER_NEAREST)
        label, words = _words(batch.targets[index], names)
        if logits is not None and (found := int(logits[index].argmax())) != label:
            label, words = found, f"{names[found]}, not {words}"
        draw_label(image, _CORNER, words, class_colour(label))  # type: ignore[arg-type]
        tiles.append(image)
    return tile(tiles, columns=max(1, math.ceil(math.sqrt(len(tiles)))))  # type: ignore[arg-type]


def _words(target: Tensor, names: Sequence[str]) -> tuple[int, str]:
    """The first class, and what there is in words; of a mixed image the shares."""
    if not target.is_floating_point():
        return int(target), names[int(target)]
    shares = target.topk(min(2, len(target)))
    pairs = zip(shares.values.tolist(), shares.indices.tolist(), strict=True)
    words = [f"{share:.0%} {names[label]}" for share, label in pairs if share > 0]
    return int(shares.indices[0]), " + ".join(words)
