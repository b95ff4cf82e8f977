"""AP of any sample of a validation set's images, from one matching by pycocotools.

pycocotools matches image by image; AP is then a matter of sorting scores. So the images can be
drawn again and again, as a bootstrap does, without matching anew: a twentieth of the time of
pycocotools' own sorting on cocoapi's example of 100 images, which cannot take an image twice.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pycocotools.coco
import pycocotools.cocoeval
from numpy.typing import NDArray

from yolor_gp.errors import UserError

RECALLS = np.linspace(0, 1, 101)
_MOST = 100


@dataclass(frozen=True)
class ClassMatches:
    """The detections of one class, image by image.

    scores: f64[N], best first within an image; found, ignored: bool[T, N], at each IoU threshold;
    image: i64[N], which of the images; objects: i64[images], those that count.
    """

    scores: NDArray[np.float64]
    found: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    image: NDArray[np.int64]
    objects: NDArray[np.int64]

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        """Best first over all images."""
        return np.argsort(-self.scores, kind="mergesort")

    @cached_property
    def _hits(self) -> list[NDArray[np.int64]]:
        """At each threshold the places in that order of those that found an object."""
        return [np.flatnonzero(row) for row in (self.found & ~self.ignored)[:, self._order]]

    def average_precision(self, times: NDArray[np.int64]) -> float:
        """AP over IoU .5 to .95 when image i is drawn times[i] times; NaN without objects.

        Precision is largest where an object was just found, so that only these places are looked
        at, and a detection drawn k times is one that counts k.
        """
        objects = int(self.objects @ times)
        if not objects:
            return float("nan")
        weights = times[self.image[self._order]]
        drawn = np.cumsum(weights)
        areas = []
        for places, ignored in zip(self._hits, self.ignored, strict=True):
            counted = drawn
            if ignored.any():
                counted = drawn - np.cumsum(weights * ignored[self._order])
            areas.append(_area(np.cumsum(weights[places]), counted[places], objects))
        return float(np.mean(areas))


def _area(hits: NDArray[np.int64], counted: NDArray[np.int64], objects: int) -> float:
    """The mean of the best precision at 101 recalls, as pycocotools has it.

    hits, counted: of the detections up to each place, those that found an object, and all.
    """
    precision = hits / np.maximum(counted, np.spacing(1))
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return float(envelope[np.searchsorted(hits / objects, RECALLS, side="left")].mean())


@dataclass(frozen=True)
class Matches:
    """All classes of one evaluation; images: how many."""

    classes: tuple[ClassMatches, ...]
    images: int

    def score(self, times: NDArray[np.int64] | None = None) -> float:
        """Mean AP over the classes that occur; times: i64[images], None: each image once."""
        drawn = np.ones(self.images, np.int64) if times is None else times
        values = np.array([c.average_precision(drawn) for c in self.classes])
        known = values[~np.isnan(values)]
        return float(known.mean()) if len(known) else 0.0


def match(
    truth: dict[str, Any], predictions: Path, kind: Literal["bbox", "segm"] = "bbox"
) -> Matches:
    """Match saved detections with the truth.

    Args:
        truth: A COCO dictionary.
        predictions: COCO's list of results.
        kind: Boxes or masks.

    Raises:
        UserError: When the results cannot be read.
    """
    try:
        rows = json.loads(predictions.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{predictions}: cannot be read ({error})") from None
    if kind == "bbox":
        rows = [{k: v for k, v in row.items() if k != "segmentation"} for row in rows]
    else:
        rows = [{k: v for k, v in row.items() if k != "bbox"} for row in rows]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = _evaluated(truth, rows, kind)
    images, per_class = evaluation.params.imgIds, len(evaluation.params.imgIds)
    areas = len(evaluation.params.areaRng)
    found = [
        evaluation.evalImgs[(index * areas) * per_class : (index * areas + 1) * per_class]
        for index in range(len(evaluation.params.catIds))
    ]
    return Matches(tuple(_of_class(part) for part in found), len(images))


def _evaluated(truth: dict[str, Any], rows: list[dict[str, Any]], kind: str) -> Any:
    loaded = pycocotools.coco.COCO()
    loaded.dataset = {**truth, "annotations": [dict(row) for row in truth["annotations"]]}
    loaded.createIndex()
    results = loaded.loadRes(rows) if rows else pycocotools.coco.COCO()
    if not rows:
        results.dataset = {**truth, "annotations": []}
        results.createIndex()
    evaluation = pycocotools.cocoeval.COCOeval(loaded, results, kind)
    evaluation.evaluate()
    return evaluation


def _of_class(images: Sequence[dict[str, Any] | None]) -> ClassMatches:
    """images: pycocotools' findings of one class over all areas, None where nothing is."""
    thresholds = 10
    scores, found, ignored, image = [np.zeros(0)], [], [], [np.zeros(0, np.int64)]
    objects = np.zeros(len(images), np.int64)
    for index, result in enumerate(images):
        if result is None:
            continue
        thresholds = len(result["dtMatches"])
        scores.append(np.asarray(result["dtScores"], np.float64)[:_MOST])
        found.append(np.asarray(result["dtMatches"], np.float64)[:, :_MOST] > 0)
        ignored.append(np.asarray(result["dtIgnore"], np.bool_)[:, :_MOST])
        image.append(np.full(len(scores[-1]), index, np.int64))
        objects[index] = int((np.asarray(result["gtIgnore"]) == 0).sum())
    empty = np.zeros((thresholds, 0), np.bool_)
    return ClassMatches(
        np.concatenate(scores),
        np.concatenate([empty, *found], axis=1),
        np.concatenate([empty, *ignored], axis=1),
        np.concatenate(image),
        objects,
    )
