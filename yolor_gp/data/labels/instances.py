"""The objects of one image as flat arrays: what labels are while they are augmented and cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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


MIN_SIDE = 2.0
"""Objects with a side below this many pixels can't be learned."""
MIN_VISIBLE_OUTLINE = 0.01
MIN_VISIBLE_BOX = 0.1
"""The share of an object's box that must stay visible; a cut box alone says less than a cut
outline, whose box is drawn tight around what is left of it."""


def clip_instances(
    instances: Instances, visible: Rectangle, least: float | None = None
) -> Instances:
    """Cut to `visible` and drop what is too small, or too little of it left.

    least: the share of an object's box that must stay visible; None for the usual one.

    Outlines are cut exactly (Sutherland and Hodgman 1974); the boxes of cut objects become those
    of their outlines, so that a box never claims pixels its object does not reach.
    """
    if not len(instances):
        return instances
    left, top, right, bottom = visible
    low, high = np.array((left, top), np.float32), np.array((right, bottom), np.float32)
    boxes = instances.boxes
    reaches_in: NDArray[np.bool_] = np.all((boxes[:, 2:] > low) & (boxes[:, :2] < high), axis=1)
    instances = instances.select(reaches_in)
    boxes = instances.boxes
    if not len(boxes):
        return instances
    is_cut: NDArray[np.bool_] = np.any((boxes[:, :2] < low) | (boxes[:, 2:] > high), axis=1)
    full_size = boxes[:, 2:] - boxes[:, :2]
    clipped = np.concatenate((boxes[:, :2].clip(low, high), boxes[:, 2:].clip(low, high)), axis=1)
    has_outlines = instances.has_rings
    if has_outlines:
        instances, still_there = _clip_outlines(instances, visible)
        is_cut, clipped, full_size = (
            is_cut[still_there],
            clipped[still_there],
            full_size[still_there],
        )
        if not len(instances):
            return instances
        if is_cut.any():
            tight = instances.outline_boxes()
            inner = np.concatenate(
                (
                    np.maximum(clipped[:, :2], tight[:, :2]),
                    np.minimum(clipped[:, 2:], tight[:, 2:]),
                ),
                axis=1,
            )
            clipped = np.where(is_cut[:, None], inner, clipped)
    size = clipped[:, 2:] - clipped[:, :2]
    share = (size[:, 0] * size[:, 1]) / (full_size[:, 0] * full_size[:, 1] + 1e-9)
    if least is None:
        least = MIN_VISIBLE_OUTLINE if has_outlines else MIN_VISIBLE_BOX
    keep = (size >= MIN_SIDE).all(axis=1) & (share >= least)
    return replace(instances, boxes=clipped).select(keep)


def _clip_outlines(instances: Instances, visible: Rectangle) -> tuple[Instances, NDArray[np.bool_]]:
    """The objects with outlines cut to `visible`, and which of them (bool[M]) are still there."""
    points, lengths = instances.points, instances.ring_lengths
    for side, limit in enumerate(visible):
        axis, sign = side % 2, (1.0 if side < 2 else -1.0)
        points, lengths = _clip_half_plane(points, lengths, axis, sign, limit)
    if lengths is instances.ring_lengths:
        return instances, np.ones(len(instances), np.bool_)
    rings_left = lengths >= 3
    points = points[np.repeat(rings_left, lengths)]
    owner = np.repeat(np.arange(len(instances)), instances.object_rings)
    object_rings = np.bincount(owner[rings_left], minlength=len(instances)).astype(np.int64)
    there = object_rings > 0
    clipped = Instances(
        instances.boxes[there],
        instances.labels[there],
        points,
        lengths[rings_left],
        object_rings[there],
        instances.even_odd[there],
    )
    return clipped, there


def _clip_half_plane(
    points: NDArray[np.float32],
    lengths: NDArray[np.int64],
    axis: int,
    sign: float,
    limit: float,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """All rings cut to sign * (coordinate - limit) >= 0, at once."""
    distance = (points[:, axis] - np.float32(limit)) * np.float32(sign)
    inside = distance >= 0
    if inside.all():
        return points, lengths
    following = next_points(lengths)
    crosses = inside != inside[following]
    emitted = inside.astype(np.int64) + crosses
    ends = np.cumsum(emitted)
    result = np.empty((ends[-1], 2), np.float32)
    result[(ends - emitted)[inside]] = points[inside]
    start, end = np.flatnonzero(crosses), following[crosses]
    along = distance[start] / (distance[start] - distance[end])
    crossing = points[start] + along[:, None] * (points[end] - points[start])
    crossing[:, axis] = limit
    result[ends[start] - 1] = crossing
    ring_of_point = np.repeat(np.arange(len(lengths)), lengths)
    new_lengths = np.bincount(ring_of_point, weights=emitted, minlength=len(lengths))
    return result, new_lengths.astype(np.int64)
