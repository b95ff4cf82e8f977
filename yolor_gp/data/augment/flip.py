"""Mirror a picture and its objects."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from yolor_gp.data.augment.scene import Picture
from yolor_gp.data.augment.strips import strips
from yolor_gp.data.instances import Instances


def write_planes(
    image: Picture, out: NDArray[np.uint8], left_right: bool = False, up_down: bool = False
) -> None:
    """u8[H, W, 3] -> u8[3, H, W], mirrored along the axes asked for on the way."""
    target = out[:, ::-1] if up_down else out
    for rows in strips(image):
        part = cv2.flip(image[rows], 1) if left_right else image[rows]
        planes = target[:, rows]
        if up_down:  # OpenCV writes downwards only
            part, planes = cv2.flip(part, 0), planes[:, ::-1]
        cv2.split(part, list(planes))


def flip_instances(instances: Instances, width: float, height: float) -> Instances:
    """Objects mirrored in an image of this width (0: not along x) and height (0: not along y)."""
    sign = np.array((-1 if width else 1, -1 if height else 1), np.float32)
    shift = np.array((width, height), np.float32)
    corners = instances.boxes.reshape(-1, 2, 2) * sign + shift
    boxes = np.concatenate((corners.min(axis=1), corners.max(axis=1)), axis=1)
    return replace(instances, boxes=boxes, points=instances.points * sign + shift)
