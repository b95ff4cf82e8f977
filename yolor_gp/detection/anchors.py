"""Anchors that fit the boxes of a data set.

A target is learned by an anchor whose sides differ from its own by less than a ratio
(`loss.anchor_threshold`); a box that no anchor reaches teaches nothing. The share that is reached
is the best possible recall.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.data.labels.annotation_table import AnnotationTable
from yolor_gp.errors import UserError
from yolor_gp.ops.image_size import AnySize, ImageSize

POOR_FIT = 0.98
"""Best possible recall below which anchors are made anew."""

_SMALLEST = 2.0  # pixels of a side; smaller objects are noise
_MOST_BOXES = 50_000  # of a large data set a sample says as much
_STARTS = 10


def box_sizes(table: AnnotationTable, image_size: AnySize) -> NDArray[np.float64]:
    """Width and height f64[N, 2] of the boxes in pixels of the training size."""
    counts = np.diff(table.object_ends, prepend=0)
    scale = np.repeat(ImageSize.of(image_size).fit(table.sizes), counts)
    sizes = (table.boxes[:, 2:] - table.boxes[:, :2]) * scale[:, None]
    return np.asarray(sizes[(sizes >= _SMALLEST).all(axis=1)], dtype=np.float64)


def best_possible_recall(
    sizes: NDArray[np.float64], anchors: NDArray[np.float64], threshold: float
) -> float:
    """The share of boxes that some anchor reaches; 1 where there are no boxes.

    sizes: f64[N, 2]; anchors: f64[K, 2], pixels; threshold: largest ratio of sides.
    """
    if not len(sizes):
        return 1.0
    distance = np.abs(np.log(sizes[:, None]) - np.log(anchors[None])).max(axis=2).min(axis=1)
    return float((distance < np.log(threshold)).mean())


def fit_anchors(sizes: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """`count` anchors f64[count, 2] in pixels, small to large: k-means of the boxes' log sizes.

    Whether an anchor reaches a box is a matter of ratios, which in logarithms are distances. The
    same sizes give the same anchors.

    Raises:
        UserError: When there are fewer different boxes than anchors.
    """
    from scipy.cluster.vq import kmeans

    logs = np.log(sizes)
    generator = np.random.default_rng(0)
    if len(logs) > _MOST_BOXES:
        logs = logs[generator.choice(len(logs), _MOST_BOXES, replace=False)]
    different = np.unique(logs, axis=0)
    if len(different) < count:
        raise UserError(
            f"--anchors auto: {count} anchors need as many boxes of different sizes, found"
            f" {len(different)}; use --anchors keep"
        )
    best, least = different[:count], np.inf
    for _ in range(_STARTS):
        centres, distance = kmeans(logs, generator.choice(different, count, replace=False))
        if len(centres) == count and distance < least:
            best, least = centres, distance
    anchors = np.exp(best)
    return np.asarray(anchors[np.argsort(anchors.prod(axis=1))])


def with_anchors(spec: ModelSpec, anchors: NDArray[np.float64]) -> ModelSpec:
    """The model with other anchors, the smallest on the finest level; rounded to 0.1 px."""
    rounded = [(round(float(w), 1), round(float(h), 1)) for w, h in anchors]
    per_level = len(rounded) // len(spec.anchors)
    levels = tuple(
        tuple(rounded[k * per_level : (k + 1) * per_level]) for k in range(len(spec.anchors))
    )
    return replace(spec, anchors=levels)


def anchor_recall(
    spec: ModelSpec, table: AnnotationTable, image_size: AnySize, threshold: float
) -> float:
    """Best possible recall of a model's anchors on the boxes of a data set."""
    own = np.array([pair for level in spec.anchors for pair in level], np.float64)
    return best_possible_recall(box_sizes(table, image_size), own, threshold)


def fitted_spec(
    spec: ModelSpec, table: AnnotationTable, image_size: AnySize, threshold: float, choice: str
) -> tuple[ModelSpec, str | None]:
    """The model with anchors for these boxes where they are wanted, and a line that says so.

    choice: "auto" makes them anew; "keep" does not; "" does where the model's own fit poorly.

    Raises:
        UserError: Where "auto" cannot make them.
    """
    if choice == "keep" or not spec.anchors:
        return spec, None
    sizes = box_sizes(table, image_size)
    count = sum(map(len, spec.anchors))
    reached = anchor_recall(spec, table, image_size, threshold)
    if not choice and (reached >= POOR_FIT or len(np.unique(sizes, axis=0)) < count):
        return spec, None
    anchors = fit_anchors(sizes, count)
    now = best_possible_recall(sizes, anchors, threshold)
    if not choice and now <= reached:
        return spec, None
    return with_anchors(spec, anchors), (
        f"anchors: the model's reach {reached:.1%} of the boxes, {count} made for them reach"
        f" {now:.1%} and are used; --anchors keep leaves the model's"
    )
