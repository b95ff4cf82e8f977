"""Mirror a picture and its objects."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from yolor_gp.data.augment.scene import Picture
from yolor_gp.data.instances import Instances


def flip(
    image: Picture, instances: Instances, left_right: bool, up_down: bool
) -> tuple[Picture, Instances]:
    """u8[H, W, 3] and its objects, mirrored along the axes asked for."""
    if not (left_right or up_down):
        return image, instances
    code = -1 if left_right and up_down else int(left_right)
    height, width = image.shape[:2]
    mirrored: Picture = cv2.flip(image, code)  # type: ignore[assignment]
    return mirrored, flip_instances(instances, width if left_right else 0, height if up_down else 0)


def flip_instances(instances: Instances, width: float, height: float) -> Instances:
    """Objects mirrored in an image of this width (0: not along x) and height (0: not along y)."""
    sign = np.array((-1 if width else 1, -1 if height else 1), np.float32)
    shift = np.array((width, height), np.float32)
    corners = instances.boxes.reshape(-1, 2, 2) * sign + shift
    boxes = np.concatenate((corners.min(axis=1), corners.max(axis=1)), axis=1)
    return replace(instances, boxes=boxes, points=instances.points * sign + shift)
