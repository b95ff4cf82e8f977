"""How far scores can be trusted, and from which score on a class is worth showing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yolor_gp.evaluation.curves import CONFIDENCES, Matches


@dataclass(frozen=True)
class Reliability:
    """Detections by their scores, in bins of equal width; empty bins are left out.

    score: f64[B], their mean score; precision: f64[B], the share that found an object; count:
    i64[B].
    """

    score: NDArray[np.float64]
    precision: NDArray[np.float64]
    count: NDArray[np.int64]

    @property
    def error(self) -> float:
        """Expected calibration error in 0..1: |score - precision|, weighted by count [Guo]."""
        if not len(self.count):
            return 0.0
        return float(np.average(np.abs(self.score - self.precision), weights=self.count))


def reliability(matches: Matches, bins: int = 20, least: float = 0.01) -> Reliability:
    """Of the detections with a score of at least `least`, which are many and say little below."""
    counted = matches.scores >= least
    scores, correct = matches.scores[counted], matches.correct[counted]
    place = np.minimum((scores * bins).astype(np.int64), bins - 1)
    count = np.bincount(place, minlength=bins)
    filled = np.flatnonzero(count)
    total = np.maximum(count, 1)
    score = np.bincount(place, scores, bins) / total
    precision = np.bincount(place, correct, bins) / total
    return Reliability(score[filled], precision[filled], count[filled])


def named_thresholds(
    matches: Matches, names: Sequence[str], precision: float | None = None
) -> dict[str, float]:
    """`class_thresholds` by name; a class without objects gets that of the best F1 of all."""
    common = matches.over_confidence().best_confidence()
    found = class_thresholds(matches, precision).tolist()
    return {
        name: round(common if math.isnan(limit) else limit, 3)
        for name, limit in zip(names, found, strict=True)
    }


def class_thresholds(matches: Matches, precision: float | None = None) -> NDArray[np.float64]:
    """The score from which on a class is shown: f64[C], NaN for classes without objects.

    precision: Where the share of right boxes first reaches it, so that most objects are kept; 1
    where it never does. None: where F1 is highest. Both at IoU 0.5.
    """
    curves = matches.over_confidence()
    if precision is None:
        place = curves.f1.argmax(axis=1)
    else:
        reached = curves.precision >= precision
        place = np.where(reached.any(axis=1), reached.argmax(axis=1), len(CONFIDENCES) - 1)
    return np.where(matches.objects > 0, CONFIDENCES[place], np.nan)
