"""Two pictures in one: mixup, and objects pasted once more."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from yolor_gp.data.augment.affine import flip_instances
from yolor_gp.data.augment.scene import Picture
from yolor_gp.data.labels.instances import Instances, concatenate
from yolor_gp.data.labels.polygons import paint

MOST_COVERED = 0.3
"""Nothing is pasted that covers more than this share of another object's box."""


def copy_paste(
    generator: Generator, image: Picture, instances: Instances, probability: float
) -> tuple[Picture, Instances]:
    """Objects pasted once more [Ghiasi et al. 2021, simplified].

    Each object is pasted with `probability` at its mirror image's place, left to right.

    u8[H, W, 3] -> a changed copy and all objects, the pasted ones last. Needs outlines; draws one
    number per object.
    """
    wanted = generator.random(len(instances)) < probability
    if not instances.has_rings or not wanted.any():
        return image, instances
    height, width = image.shape[:2]
    mirrored = flip_instances(instances, width, 0)
    boxes, chosen = instances.boxes, np.zeros(len(instances), np.bool_)
    for index in np.flatnonzero(wanted):
        if (_covered(mirrored.boxes[index], boxes) <= MOST_COVERED).all():
            chosen[index] = True
            boxes = np.concatenate((boxes, mirrored.boxes[index : index + 1]))
    if not chosen.any():
        return image, instances
    pasted = mirrored.select(chosen)
    stencil = np.zeros((height, width), np.uint8)
    for rings, even_odd in zip(pasted.rings(), pasted.even_odd, strict=True):
        paint(stencil, rings, 255, bool(even_odd))
    changed: Picture = image.copy()
    cv2.copyTo(cv2.flip(image, 1), stencil, changed)
    return changed, concatenate((instances, pasted))


def _covered(
    box: np.ndarray[tuple[int], np.dtype[np.float32]],
    boxes: np.ndarray[tuple[int, int], np.dtype[np.float32]],
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """The share of each of `boxes` (f32[M, 4]) that `box` (f32[4]) covers: f32[M]."""
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    shared = (high - low).clip(min=0).prod(axis=1)
    covered: np.ndarray[tuple[int], np.dtype[np.float32]] = shared / np.maximum(
        (boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1e-9
    )
    return covered


def mixup(
    image: Picture, instances: Instances, other: Picture, others: Instances, share: float
) -> tuple[Picture, Instances]:
    """share * image + (1 - share) * other [Zhang et al. 2018].

    Both u8[H, W, 3]; all objects count fully.
    """
    mixed: Picture = cv2.addWeighted(image, share, other, 1 - share, 0)  # type: ignore[assignment]
    return mixed, concatenate((instances, others))
