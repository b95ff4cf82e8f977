"""The outlines of the built-in shapes, within the unit circle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Rings = list[NDArray[np.float64]]
"""Closed outlines, each f64[K, 2]; where several overlap they cut holes (even-odd)."""


def _circle(_: Generator) -> Rings:
    return [_arc(0, 2 * np.pi, 1.0)]


def _triangle(generator: Generator) -> Rings:
    angles = np.array((0.0, 2.1, 4.2)) + generator.uniform(-0.35, 0.35, 3)
    return [_on_circle(angles, 1.0)]


def _rectangle(generator: Generator) -> Rings:
    half = generator.uniform(0.45, 1.0)
    corners = np.array([(-1, -half), (1, -half), (1, half), (-1, half)])
    return [corners / np.hypot(1, half)]


def _star(generator: Generator) -> Rings:
    points = int(generator.integers(5, 8))
    angles = np.arange(2 * points) * np.pi / points
    radius = np.where(np.arange(2 * points) % 2 == 0, 1.0, generator.uniform(0.38, 0.55))
    return [_on_circle(angles, radius)]


def _ring(generator: Generator) -> Rings:
    return [_arc(0, 2 * np.pi, 1.0), _arc(0, 2 * np.pi, generator.uniform(0.45, 0.7))]


def _cross(generator: Generator) -> Rings:
    arm = generator.uniform(0.22, 0.36)
    one = [(arm, arm), (arm, 1), (-arm, 1), (-arm, arm), (-1, arm), (-1, -arm)]
    outline = np.array(one + [(-x, -y) for x, y in one])
    return [outline / np.hypot(arm, 1)]


def _crescent(generator: Generator) -> Rings:
    # The outer edge is the unit circle; the inner one a circle through the same two tips.
    tip = generator.uniform(0.7, 1.2)
    shift = generator.uniform(0.35, 0.6)
    x, y = np.cos(tip), np.sin(tip)
    centre = x + shift
    inner_radius = np.hypot(x - centre, y)
    inner_tip = np.arctan2(y, x - centre)
    outer = _arc(tip, 2 * np.pi - tip, 1.0)
    inner = _arc(2 * np.pi - inner_tip, inner_tip, inner_radius) + np.array((centre, 0.0))
    return [np.concatenate((outer, inner[1:-1]))]


def _half_disc(_: Generator) -> Rings:
    return [_arc(0, np.pi, 1.0)]


def _pentagon(generator: Generator) -> Rings:
    sides = int(generator.integers(5, 7))
    return [_on_circle(np.arange(sides) * 2 * np.pi / sides, 1.0)]


def _angle(generator: Generator) -> Rings:
    w = generator.uniform(0.25, 0.4)
    return [np.array([(-0.7, -0.7), (0.7, -0.7), (0.7, w - 0.7), (w - 0.7, w - 0.7),
                      (w - 0.7, 0.7), (-0.7, 0.7)])]  # fmt: skip


def _bar(generator: Generator) -> Rings:
    half = generator.uniform(0.06, 0.16)
    return [np.array([(-1, -half), (1, -half), (1, half), (-1, half)])]


def _blob(generator: Generator) -> Rings:
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radius = 0.7 + sum(
        generator.uniform(0, 0.25 / k) * np.sin(k * angles + generator.uniform(0, 6.3))
        for k in (2, 3, 5)
    )
    return [_on_circle(angles, np.clip(radius, 0.15, 1.0))]


SHAPES: dict[str, Callable[[Generator], Rings]] = {
    "circle": _circle,
    "triangle": _triangle,
    "rectangle": _rectangle,
    "star": _star,
    "ring": _ring,
    "cross": _cross,
    "crescent": _crescent,
}
"""The classes, in the order of their labels."""

DISTRACTORS = (_half_disc, _pentagon, _angle, _bar, _blob)
"""Things that are no object of any class, but look alike."""


def _arc(start: float, end: float, radius: float) -> NDArray[np.float64]:
    steps = max(int(abs(end - start) * 8), 3)
    return _on_circle(np.linspace(start, end, steps + 1), radius)


def _on_circle(
    angles: NDArray[np.float64], radius: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.stack((radius * np.cos(angles), radius * np.sin(angles)), axis=1)
