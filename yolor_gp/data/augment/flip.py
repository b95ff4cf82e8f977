"""Mirror planes of a picture, and its objects."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from yolor_gp.data.augment.scene import Planes
from yolor_gp.data.labels.instances import Instances


def flip_planes(planes: Planes, left_right: bool, up_down: bool) -> None:
    """Mirror u8[3, H, W] in place along the axes asked for."""
    if not (left_right or up_down):
        return
    code = 1 if not up_down else -1 if left_right else 0
    for plane in planes:
        cv2.flip(plane, code, dst=plane)


def flip_instances(instances: Instances, width: float, height: float) -> Instances:
    """Objects mirrored in an image of this width (0: not along x) and height (0: not along y)."""
    sign = np.array((-1 if width else 1, -1 if height else 1), np.float32)
    shift = np.array((width, height), np.float32)
    corners = instances.boxes.reshape(-1, 2, 2) * sign + shift
    boxes = np.concatenate((corners.min(axis=1), corners.max(axis=1)), axis=1)
    return replace(instances, boxes=boxes, points=instances.points * sign + shift)
