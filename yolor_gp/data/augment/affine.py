"""Rotate, scale, shear, translate, tilt: one 3x3 matrix for pixels and labels; and mirror."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from yolor_gp.config.train_config import AugmentConfig
from yolor_gp.data.augment.scene import Picture, Planes, Scene
from yolor_gp.data.labels.instances import Instances, clip_instances, concatenate
from yolor_gp.ops.image_size import ImageSize
from yolor_gp.ops.letterbox import PADDING_GREY

Matrix = NDArray[np.float64]


def draw_affine(
    generator: Generator, config: AugmentConfig, canvas: ImageSize, size: ImageSize
) -> Matrix:
    """A random map from a canvas to an output of `size`: f64[3, 3].

    About the canvas's centre: tilt, then rotate and scale, then shear; then the centre goes to
    the output's centre plus the translation. Coordinates are continuous: pixel k covers k to
    k + 1. Always draws eight numbers.
    """
    tilt_x, tilt_y, turn, zoom, shear_x, shear_y, move_x, move_y = generator.uniform(
        -1, 1, 8
    ).tolist()
    angle, gain = math.radians(turn * config.rotate), 1 + zoom * config.scale
    cosine, sine = gain * math.cos(angle), gain * math.sin(angle)
    along_x = math.tan(math.radians(shear_x * config.shear))
    along_y = math.tan(math.radians(shear_y * config.shear))
    matrix: Matrix = np.array(
        [
            [cosine + along_x * sine, along_x * cosine - sine, 0.0],
            [along_y * cosine + sine, cosine - along_y * sine, 0.0],
            [0.0, 0.0, 1.0],
        ]
    )
    if config.perspective:
        matrix[2, :2] = tilt_x * config.perspective, tilt_y * config.perspective
    matrix[:, 2] -= matrix[:, :2] @ (canvas.width / 2, canvas.height / 2)
    centre = np.array((0.5 + move_x * config.translate, 0.5 + move_y * config.translate))
    centre *= (size.width, size.height)
    matrix[:2] += centre[:, None] * matrix[2]
    return matrix


def is_axis_aligned(matrix: Matrix) -> bool:
    """Whether a map only scales and moves."""
    off_diagonal = (matrix[0, 1], matrix[1, 0], matrix[2, 0], matrix[2, 1])
    return all(value == 0 for value in off_diagonal)


def warp_scene(scene: Scene, matrix: Matrix, out: Picture, grey: int = PADDING_GREY) -> Instances:
    """Draw the canvas and warp it into `out`, u8[height, width, 3]; return the objects seen there.

    This is the straightforward way, for any matrix; `placement` is the fast one for matrices
    that only scale and move.
    """
    canvas = np.full((*scene.canvas, 3), grey, np.uint8)
    parts = []
    for tile in scene.tiles:
        height, width = tile.size
        top, left = max(tile.top, 0), max(tile.left, 0)
        bottom = min(tile.top + height, scene.canvas.height)
        right = min(tile.left + width, scene.canvas.width)
        canvas[top:bottom, left:right] = tile.image[
            top - tile.top : bottom - tile.top, left - tile.left : right - tile.left
        ]
        moved = tile.instances.transform(tile.scale, (tile.left, tile.top))
        parts.append(clip_instances(moved, (left, top, right, bottom)))
    warp_image(canvas, matrix, grey, out)
    return transform_instances(concatenate(parts), matrix, out.shape[1], out.shape[0])


def warp_image(image: Picture, matrix: Matrix, grey: int, out: Picture) -> None:
    """Show `image` through `matrix` (continuous coordinates) in `out`, `grey` around it."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    pixels = np.linalg.inv(half) @ matrix @ half  # OpenCV's whole numbers are pixel centres
    size = (out.shape[1], out.shape[0])
    border = (grey,) * 3
    if matrix[2, 0] or matrix[2, 1]:
        cv2.warpPerspective(image, pixels, size, dst=out, borderValue=border)
    else:
        cv2.warpAffine(image, pixels[:2], size, dst=out, borderValue=border)


def transform_instances(
    instances: Instances, matrix: Matrix, width: float, height: float
) -> Instances:
    """The objects seen through `matrix`, cut to the output.

    Boxes are drawn around the mapped outlines; without outlines, around the mapped corners.
    """
    if not len(instances):
        return instances
    if instances.has_rings:
        points = _project(instances.points, matrix)
        moved = replace(instances, points=points)
        moved = replace(moved, boxes=moved.outline_boxes())
    else:
        corners = instances.boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2)
        quads = _project(corners, matrix).reshape(-1, 4, 2)
        boxes = np.concatenate((quads.min(axis=1), quads.max(axis=1)), axis=1)
        moved = replace(instances, boxes=boxes)
    return clip_instances(moved, (0, 0, width, height))


def _project(points: NDArray[np.float32], matrix: Matrix) -> NDArray[np.float32]:
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    # Points behind the viewer have no picture; the smallest depth keeps them finite and far away.
    flat: NDArray[np.float32] = (mapped[:, :2] / np.maximum(mapped[:, 2:], 1e-3)).astype(np.float32)
    return flat


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
