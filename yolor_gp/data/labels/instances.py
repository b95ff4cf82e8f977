"""The objects of one image as flat arrays: what labels are while they are augmented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rectangle = tuple[float, float, float, float]
"""left, top, right, bottom in pixels."""


@dataclass(frozen=True)
class Instances:
    """M objects with R rings (closed outlines) of P points in all.

    boxes: f32[M, 4] xyxy pixels; labels: i64[M]; points: f32[P, 2] of x, y; ring_lengths: i64[R],
    points of each ring; object_rings: i64[M], rings of each object; even_odd: bool[M], whether
    an object's rings cut holes into each other (outlines of bitmaps) or add up (polygons).
    Either every object has at least one ring, or (boxes only) none has.
    """

    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    points: NDArray[np.float32]
    ring_lengths: NDArray[np.int64]
    object_rings: NDArray[np.int64]
    even_odd: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def has_rings(self) -> bool:
        """Whether the objects have outlines."""
        return len(self.ring_lengths) > 0

    def select(self, keep: NDArray[np.bool_]) -> Instances:
        """The objects where `keep` (bool[M]) is true."""
        if keep.all():
            return self
        keep_ring = np.repeat(keep, self.object_rings)
        return Instances(
            self.boxes[keep],
            self.labels[keep],
            self.points[np.repeat(keep_ring, self.ring_lengths)],
            self.ring_lengths[keep_ring],
            self.object_rings[keep],
            self.even_odd[keep],
        )

    def transform(self, scale: tuple[float, float], offset: tuple[float, float]) -> Instances:
        """Every x, y becomes x, y * scale + offset; scales must be positive."""
        factor, shift = np.array(scale, np.float32), np.array(offset, np.float32)
        return Instances(
            (self.boxes.reshape(-1, 2) * factor + shift).reshape(-1, 4),
            self.labels,
            self.points * factor + shift,
            self.ring_lengths,
            self.object_rings,
            self.even_odd,
        )

    def object_points(self) -> NDArray[np.int64]:
        """Points of each object: i64[M]. Only with rings."""
        return np.add.reduceat(self.ring_lengths, _starts(self.object_rings))

    def outline_boxes(self) -> NDArray[np.float32]:
        """The tight boxes of the outlines: f32[M, 4]. Only with rings."""
        starts = _starts(self.object_points())
        low = np.minimum.reduceat(self.points, starts)
        high = np.maximum.reduceat(self.points, starts)
        return np.concatenate((low, high), axis=1)

    def areas(self) -> NDArray[np.float32]:
        """Pixels inside each outline (or box, without outlines): f32[M]."""
        if not self.has_rings:
            size = self.boxes[:, 2:] - self.boxes[:, :2]
            return size[:, 0] * size[:, 1]
        x, y = self.points.T.astype(np.float64)
        following = next_points(self.ring_lengths)
        doubled = np.add.reduceat(x * y[following] - x[following] * y, _starts(self.ring_lengths))
        # Rings that add up may turn either way; holes turn against their outline.
        mixed = np.repeat(self.even_odd, self.object_rings)
        signed = np.where(mixed, doubled, np.abs(doubled))
        areas = np.abs(np.add.reduceat(signed, _starts(self.object_rings))) / 2
        return areas.astype(np.float32)

    def rings(self) -> list[list[NDArray[np.float32]]]:
        """For each object its rings, each f32[K, 2]."""
        bounds = np.concatenate(([0], np.cumsum(self.ring_lengths))).tolist()
        result, ring = [], 0
        for count in self.object_rings.tolist():
            result.append(
                [self.points[bounds[k] : bounds[k + 1]] for k in range(ring, ring + count)]
            )
            ring += count
        return result


def no_instances() -> Instances:
    """An image without objects."""
    return Instances(
        np.zeros((0, 4), np.float32),
        np.zeros(0, np.int64),
        np.zeros((0, 2), np.float32),
        np.zeros(0, np.int64),
        np.zeros(0, np.int64),
        np.zeros(0, np.bool_),
    )


def concatenate(parts: Sequence[Instances]) -> Instances:
    """All objects of `parts`, in order."""
    if not parts:
        return no_instances()
    if len(parts) == 1:
        return parts[0]
    return Instances(*(_join(parts, name) for name in Instances.__dataclass_fields__))


def next_points(ring_lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """For every point the index of the next one in its ring: i64[P]."""
    lengths = ring_lengths[ring_lengths > 0]
    ends = np.cumsum(lengths)
    following = np.arange(1, (ends[-1] if len(ends) else 0) + 1)
    following[ends - 1] = ends - lengths
    return following


def _starts(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.cumsum(lengths) - lengths


def _join(parts: Sequence[Instances], name: str) -> NDArray[Any]:
    return np.concatenate([getattr(part, name) for part in parts])
