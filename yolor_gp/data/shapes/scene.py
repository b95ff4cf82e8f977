"""Draw one scene of the built-in data set, with the exact visible pixels of every object."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from yolor_gp.data.shapes.outlines import DISTRACTORS, SHAPES, Rings

DRAWING = 2
"""Raise this when scenes look different, so that sets drawn before are drawn again."""

_SHAPES = tuple(SHAPES.values())
_SHIFT = 4
_LEAST_VISIBLE = 0.3
_RADII = (0.045, 0.32)
"""Smallest and largest radius of an object, as parts of the image's side; log-uniform."""

_LEAST_PIXELS = 16

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """image: u8[H, W, 3] RGB; owners: u8[H, W], 0 or k for the k-th object; labels: of objects."""

    image: Picture
    owners: Picture
    labels: tuple[int, ...]


def draw_scene(generator: Generator, size: int, max_objects: int) -> Scene:
    """A square scene of `size` pixels with 1 to `max_objects` objects.

    Later objects cover earlier ones. An object of which too little stays visible has no pixels
    in `owners`; it is then no object at all.
    """
    image = _background(generator, size)
    _clutter(generator, image)
    owners = np.zeros((size, size), np.uint8)
    labels: list[int] = []
    drawn: list[int] = []
    count = int(generator.integers(1, max_objects + 1))
    for _ in range(count):
        if generator.random() < 0.35:
            distractor = DISTRACTORS[generator.integers(len(DISTRACTORS))]
            _draw(generator, image, owners, distractor(generator), 0)
        label = int(generator.integers(len(_SHAPES)))
        labels.append(label)
        drawn.append(_draw(generator, image, owners, _SHAPES[label](generator), len(labels)))
    visible = np.bincount(owners.ravel(), minlength=len(labels) + 1)[1:]
    for number, (pixels, whole) in enumerate(zip(visible.tolist(), drawn, strict=True), start=1):
        if pixels and (pixels < _LEAST_PIXELS or pixels < _LEAST_VISIBLE * whole):
            owners[owners == number] = 0
    return Scene(_camera(generator, image), owners, tuple(labels))


def _background(generator: Generator, size: int) -> Picture:
    """A smooth change of colours, rough at two finer scales."""
    base = generator.uniform(20, 235, 3)
    image = _noise(generator, size, int(generator.integers(2, 5)), 3, generator.uniform(10, 60))
    image += base.astype(np.float32)
    for cells, strength in ((size // 16, 14.0), (size // 3, 12.0)):
        image += _noise(generator, size, cells, 1, generator.uniform(0, strength))
    if generator.random() < 0.3:
        image += _stripes(generator, size, size, generator.uniform(4, 22))[..., None]
    return image.clip(0, 255).astype(np.uint8)


def _clutter(generator: Generator, image: Picture) -> None:
    """Lines, arcs and specks in colours near the background's."""
    size = image.shape[0]
    for _ in range(int(generator.integers(0, 14))):
        x, y, x2, y2 = generator.integers(0, size, 4).tolist()
        colour = _near(generator, image[y, x], 50)
        thickness = int(generator.integers(1, 4))
        kind = generator.integers(3)
        if kind == 0:
            cv2.line(image, (x, y), (x2, y2), colour, thickness, cv2.LINE_AA)
        elif kind == 1:
            axes = (max(abs(x2 - x) // 2, 3), max(abs(y2 - y) // 2, 3))
            angle, span = generator.uniform(0, 360), generator.uniform(40, 200)
            cv2.ellipse(image, (x, y), axes, angle, 0, span, colour, thickness, cv2.LINE_AA)
        else:
            cv2.circle(image, (x, y), thickness, colour, -1, cv2.LINE_AA)


def _draw(generator: Generator, image: Picture, owners: Picture, rings: Rings, number: int) -> int:
    """Paint an outline at a random place and size; return how many pixels it covers."""
    size = image.shape[0]
    radius = size * np.exp(generator.uniform(*np.log(_RADII)))
    angle, stretch = generator.uniform(0, 2 * np.pi), generator.uniform(0.75, 1.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = (turn * (radius, radius * stretch)).T
    margin = radius * 0.6
    centre = generator.uniform(margin, size - margin, 2)
    points = [ring @ matrix + centre for ring in rings]
    low = np.floor(np.min([ring.min(axis=0) for ring in points], axis=0)).astype(int) - 2
    high = np.ceil(np.max([ring.max(axis=0) for ring in points], axis=0)).astype(int) + 3
    left, top = np.maximum(low, 0).tolist()
    right, bottom = np.minimum(high, size).tolist()
    alpha = np.zeros((bottom - top, right - left), np.uint8)
    fixed = [
        np.rint((ring - (left + 0.5, top + 0.5)) * (1 << _SHIFT)).astype(np.int32)
        for ring in points
    ]
    cv2.fillPoly(alpha, fixed, 255, cv2.LINE_AA, _SHIFT)
    window = image[top:bottom, left:right]
    paint = _fill(generator, window, alpha)
    window[:] = _blend(window, paint, alpha)
    inside = alpha >= 128
    owners[top:bottom, left:right][inside] = number
    return int(np.count_nonzero(inside))


def _fill(generator: Generator, window: Picture, alpha: Picture) -> Picture:
    """A colour that differs from what lies below, plain, shaded, striped or rough."""
    height, width = alpha.shape
    below = window.reshape(-1, 3).mean(axis=0)
    colour = generator.uniform(0, 255, 3)
    contrast = generator.uniform(60, 170)
    difference = colour - below
    distance = float(np.abs(difference).max()) + 1e-6
    if distance < contrast:  # push away from the background, and back into range by mirroring
        colour = below + difference * (contrast / distance)
        colour = np.where((colour < 0) | (colour > 255), 2 * below - colour, colour)
    kind = int(generator.integers(5))
    shade = np.zeros((height, width), np.float32)
    if kind == 1:
        slope = generator.uniform(-60, 60, 2) / max(height, width)
        rows, columns = np.arange(height)[:, None], np.arange(width)[None]
        shade += (rows - height / 2) * slope[0] + (columns - width / 2) * slope[1]
    elif kind == 2:
        shade += _stripes(generator, height, width, generator.uniform(15, 45))
    elif kind == 3:
        shade += generator.normal(0, generator.uniform(5, 25), (height, width))
    paint = shade[..., None] + colour.astype(np.float32)
    return paint.clip(0, 255).astype(np.uint8)


def _blend(below: Picture, above: Picture, alpha: Picture) -> Picture:
    weight = alpha[..., None].astype(np.float32) / 255
    return (below + (above - below.astype(np.float32)) * weight + 0.5).astype(np.uint8)


def _camera(generator: Generator, image: Picture) -> Picture:
    """Light from one side, a little blur, sensor noise."""
    size = image.shape[0]
    if generator.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), generator.uniform(0.3, 1.1))  # type: ignore[assignment]
    light = generator.uniform(0.75, 1.15) + generator.uniform(-0.25, 0.25) * np.linspace(
        -1, 1, size, dtype=np.float32
    )
    shape = (1, size, 1) if generator.random() < 0.5 else (size, 1, 1)
    lit = image * light.astype(np.float32).reshape(shape)
    noise = generator.standard_normal((size, size, 1), np.float32)
    lit += noise * np.float32(generator.uniform(0, 8))
    picture: Picture = lit.clip(0, 255).astype(np.uint8)
    return picture


def _noise(
    generator: Generator, size: int, cells: int, channels: int, strength: float
) -> NDArray[np.float32]:
    """Random values on a grid of cells, smoothly enlarged: f32[size, size(, channels)]."""
    grid = generator.standard_normal((cells, cells, channels), np.float32) * np.float32(strength)
    smooth = np.empty((size, size, channels), np.float32)
    cv2.resize(grid, (size, size), dst=smooth, interpolation=cv2.INTER_CUBIC)
    return smooth


def _stripes(generator: Generator, height: int, width: int, strength: float) -> NDArray[np.float32]:
    angle = generator.uniform(0, np.pi)
    period = generator.uniform(4, 16)
    rows, columns = np.arange(height)[:, None], np.arange(width)[None]
    wave = np.sin((rows * np.sin(angle) + columns * np.cos(angle)) * (2 * np.pi / period))
    stripes: NDArray[np.float32] = (np.sign(wave) * strength).astype(np.float32)
    return stripes


def _near(generator: Generator, colour: Picture, distance: float) -> tuple[int, int, int]:
    moved = colour + generator.uniform(-distance, distance, 3)
    red, green, blue = moved.clip(0, 255).astype(int).tolist()
    return red, green, blue
