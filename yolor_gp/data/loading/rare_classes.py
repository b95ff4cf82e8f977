"""Rare classes: how much more often their images are shown, and what their objects weigh."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from yolor_gp.data.labels.annotation_table import AnnotationTable


def repeat_factors(table: AnnotationTable, threshold: float) -> NDArray[np.float64]:
    """How often each image is shown in comparison with others: f64[N], at least 1 [LVIS, app. B].

    threshold: share of the images; a class on a smaller share f counts sqrt(threshold / f), an
    image as its rarest class.
    """
    images = np.repeat(np.arange(len(table)), np.diff(table.object_ends, prepend=0))
    factors = np.ones(len(table))
    pairs = np.unique(np.stack((images, table.labels)), axis=1)
    seen = np.bincount(pairs[1], minlength=len(table.names)) / len(table)
    by_class = np.sqrt(threshold / np.maximum(seen, 1e-12)).clip(min=1)
    np.maximum.at(factors, pairs[0], by_class[pairs[1]])
    return factors


def drawn_order(factors: NDArray[np.float64], generator: Generator) -> NDArray[np.int64]:
    """As many images as there are, each as often as its factor asks, in random order: i64[N].

    Systematic: an image comes floor or ceil of its expected number of times.
    """
    count = len(factors)
    ends = np.cumsum(factors) / factors.sum() * count
    # Points one apart, moved by a random part: each falls to the image whose piece it lies in.
    chosen = np.searchsorted(ends, np.arange(count) + generator.random(), side="right")
    return generator.permutation(chosen.clip(max=count - 1))


def class_weights(labels: NDArray[np.int64], classes: int) -> tuple[float, ...]:
    """A weight for each class: the inverse root of its number of objects.

    The mean over the objects is 1, so that the gain of classification keeps its meaning; a class
    without objects weighs 1.
    """
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    weights = np.where(counts > 0, 1 / np.sqrt(counts.clip(min=1)), 0.0)
    total = (weights * counts).sum()
    if total > 0:
        weights *= counts.sum() / total
    weights[counts == 0] = 1.0
    return tuple(round(float(weight), 4) for weight in weights)
