"""Objects cut to a rectangle: what of them stays in the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from yolor_gp.data.labels.instances import Instances, Rectangle, next_points

MIN_SIDE = 2.0
"""Objects with a side below this many pixels can't be learned."""
MIN_VISIBLE_OUTLINE = 0.01
MIN_VISIBLE_BOX = 0.1
"""The share of an object's box that must stay visible; a cut box alone says less than a cut
outline, whose box is drawn tight around what is left of it."""


def clip_instances(instances: Instances, visible: Rectangle) -> Instances:
    """Cut to `visible` and drop what is too small, or too little of it left.

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
