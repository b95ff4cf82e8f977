"""What an evaluation looks like beyond its figures: curves over confidence, confusions, mistakes.

They come from one greedy matching of boxes at one IoU threshold, best detection first, crowds left
out as in COCO's protocol. They are for looking at; average precision, and precision over recall,
are the evaluator's. Its arrays would not do here: they hold the best precision from each of 101
recalls on, which at confidence 0.7 is 0.085 above what precision is there (the example of 100
images that comes with cocoapi), and no confusions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pycocotools.mask
from numpy.typing import NDArray

from yolor_gp.evaluation.coco_format import ImageResult

CONFIDENCES = np.linspace(0, 1, 1001)


@dataclass(frozen=True)
class ConfidenceCurves:
    """Per class over `CONFIDENCES`: f64[C, 1001] each; 0 where there is nothing to divide by."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]

    @property
    def f1(self) -> NDArray[np.float64]:
        """The harmonic mean of precision and recall: f64[C, 1001]."""
        return 2 * self.precision * self.recall / np.maximum(self.precision + self.recall, 1e-12)

    def best_confidence(self) -> float:
        """Where F1, averaged over the classes, is highest."""
        return float(CONFIDENCES[int(self.f1.mean(axis=0).argmax())])


@dataclass(frozen=True)
class Matches:
    """All detections that count, best first, and how many objects there are.

    scores: f64[N]; labels: i64[N]; correct: bool[N], found an object of their own class;
    objects: i64[C], objects of each class.
    """

    scores: NDArray[np.float64]
    labels: NDArray[np.int64]
    correct: NDArray[np.bool_]
    objects: NDArray[np.int64]

    def over_confidence(self) -> ConfidenceCurves:
        """Precision and recall of the detections at or above each confidence."""
        shape = (len(self.objects), len(CONFIDENCES))
        precision, recall = np.zeros(shape), np.zeros(shape)
        for label in np.flatnonzero(self.objects).tolist():
            mine = self.labels == label
            found = np.append(0, np.cumsum(self.correct[mine]))
            count = np.searchsorted(-self.scores[mine], -CONFIDENCES, side="right")
            precision[label] = found[count] / np.maximum(count, 1)
            recall[label] = found[count] / self.objects[label]
        return ConfidenceCurves(precision, recall)


def match_boxes(
    images: Sequence[ImageResult],
    truth: dict[str, Any],
    category_ids: Sequence[int],
    iou_threshold: float = 0.5,
) -> Matches:
    """Match every detection with the free object of its class that it overlaps most.

    truth: a COCO dictionary; category_ids: the category of every label.
    """
    scores, labels, correct = [np.zeros(0)], [np.zeros(0, np.int64)], [np.zeros(0, np.bool_)]
    objects = np.zeros(len(category_ids), dtype=np.int64)
    for result, boxes, classes, crowd in _pairs(images, truth, category_ids):
        objects += np.bincount(classes[~crowd], minlength=len(objects))
        if result is None:
            continue
        allowed = result.labels[:, None] == classes
        matched = _match(result, boxes, crowd, allowed, iou_threshold)
        counted = np.array([index < 0 or not crowd[index] for index in matched], dtype=np.bool_)
        scores.append(result.scores[counted].astype(np.float64))
        labels.append(result.labels[counted])
        correct.append((matched >= 0)[counted])
    flat = np.concatenate(scores)
    order = np.argsort(-flat, kind="stable")
    return Matches(
        flat[order], np.concatenate(labels)[order], np.concatenate(correct)[order], objects
    )


def confusion_matrix(
    images: Sequence[ImageResult],
    truth: dict[str, Any],
    category_ids: Sequence[int],
    *,
    iou_threshold: float = 0.5,
    confidence: float = 0.25,
) -> NDArray[np.int64]:
    """Counts i64[C + 1, C + 1], truth down, prediction across, background last.

    Detections of at least `confidence` are matched whatever their class; an object that nobody
    found is predicted background, a detection without an object is background's.
    """
    classes_count = len(category_ids)
    matrix = np.zeros((classes_count + 1, classes_count + 1), dtype=np.int64)
    for result, boxes, classes, crowd in _pairs(images, truth, category_ids):
        missed = ~crowd
        if result is not None:
            matched = _match(result, boxes, crowd, np.True_, iou_threshold, confidence)
            for label, score, index in zip(result.labels, result.scores, matched, strict=True):
                if score < confidence or (index >= 0 and crowd[index]):
                    continue
                matrix[classes[index] if index >= 0 else classes_count, label] += 1
                if index >= 0:
                    missed[index] = False
        matrix[:, classes_count] += np.bincount(classes[missed], minlength=classes_count + 1)
    return matrix


@dataclass(frozen=True)
class Mistakes:
    """One image's objects that nobody found, and detections without an object.

    missed, false: f64[N, 4] left, top, width, height; their labels: i64[N].
    """

    image_id: int
    missed: NDArray[np.float64]
    missed_labels: NDArray[np.int64]
    false: NDArray[np.float64]
    false_labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.missed) + len(self.false)


def mistakes(
    images: Sequence[ImageResult],
    truth: dict[str, Any],
    category_ids: Sequence[int],
    *,
    confidence: float,
    iou_threshold: float = 0.5,
) -> list[Mistakes]:
    """Of every image, at a confidence; a detection must have the class of its object."""
    found = []
    ids = [image["id"] for image in truth["images"]]
    for image_id, (result, boxes, classes, crowd) in zip(
        ids, _pairs(images, truth, category_ids), strict=True
    ):
        missed = ~crowd
        false, false_labels = np.zeros((0, 4)), np.zeros(0, np.int64)
        if result is not None:
            allowed = result.labels[:, None] == classes
            matched = _match(result, boxes, crowd, allowed, iou_threshold, confidence)
            missed[matched[matched >= 0]] = False
            wrong = (matched < 0) & (result.scores >= confidence)
            false, false_labels = result.boxes[wrong], result.labels[wrong]
        found.append(Mistakes(image_id, boxes[missed], classes[missed], false, false_labels))
    return found


def _pairs(
    images: Sequence[ImageResult], truth: dict[str, Any], category_ids: Sequence[int]
) -> Iterator[tuple[ImageResult | None, NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]]:
    """Every image of the truth: detections if any, its boxes xywh, their labels, crowd or not.

    Yields:
        One tuple for each image, in the order of the truth.
    """
    label_of = {category: label for label, category in enumerate(category_ids)}
    by_image: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in truth["images"]}
    for annotation in truth["annotations"]:
        if annotation["category_id"] in label_of:
            by_image[annotation["image_id"]].append(annotation)
    results = {result.image_id: result for result in images}
    for image, rows in by_image.items():
        yield (
            results.get(image),
            np.array([row["bbox"] for row in rows], dtype=np.float64).reshape(-1, 4),
            np.array([label_of[row["category_id"]] for row in rows], dtype=np.int64),
            np.array([bool(row.get("iscrowd", 0)) for row in rows], dtype=np.bool_),
        )


def _match(
    result: ImageResult,
    boxes: NDArray[np.float64],
    crowd: NDArray[np.bool_],
    allowed: NDArray[np.bool_] | np.bool_,
    iou_threshold: float,
    confidence: float = 0.0,
) -> NDArray[np.int64]:
    """Which object each detection takes, -1 for none: i64[N]. A crowd takes any number."""
    matched = np.full(len(result), -1, dtype=np.int64)
    if not len(result) or not len(boxes):
        return matched
    overlaps = pycocotools.mask.iou(result.boxes, boxes, crowd.astype(np.uint8).tolist())
    overlaps = np.where(allowed & (overlaps >= iou_threshold), overlaps, 0)
    # Objects come before crowds, whatever the overlap.
    overlaps[:, ~crowd] += 2 * (overlaps[:, ~crowd] > 0)
    hopeful = (overlaps.max(axis=1) > 0) & (result.scores >= confidence)
    for index in np.argsort(-result.scores, kind="stable").tolist():
        if hopeful[index] and overlaps[index].max() > 0:
            best = int(overlaps[index].argmax())
            matched[index] = best
            if not crowd[best]:
                overlaps[:, best] = 0
    return matched
