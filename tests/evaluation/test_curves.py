from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from yolor_gp.evaluation.coco_format import ImageResult
from yolor_gp.evaluation.curves import CONFIDENCES, confusion_matrix, match_boxes

CATEGORIES = (7, 3, 9)
CAT, DOG, COW = range(3)


def truth(*rows: tuple[int, int, float, int]) -> dict[str, Any]:
    """(image, label, left, crowd): boxes of 10 x 10 px."""
    return {
        "images": [{"id": 1}, {"id": 2}],
        "annotations": [
            {
                "image_id": image,
                "category_id": CATEGORIES[label],
                "bbox": [left, 0, 10, 10],
                "iscrowd": crowd,
            }
            for image, label, left, crowd in rows
        ],
    }


def found(image: int, *rows: tuple[int, float, float]) -> ImageResult:
    """(label, left, score)."""
    return ImageResult(
        image,
        np.array([[left, 0, 10, 10] for _, left, _ in rows], dtype=np.float64).reshape(-1, 4),
        np.array([score for _, _, score in rows], dtype=np.float32),
        np.array([label for label, _, _ in rows], dtype=np.int64),
        (50, 100),
        None,
    )


TRUTH = truth((1, CAT, 0, 0), (1, CAT, 20, 0), (1, DOG, 40, 0), (2, CAT, 0, 0), (2, DOG, 50, 1))
# Cats: right, the same one again, right; dogs: one where a cat is, two in the crowd.
FOUND = [
    found(1, (CAT, 1, 0.9), (CAT, 0, 0.8), (CAT, 21, 0.5), (DOG, 20, 0.7)),
    found(2, (DOG, 50, 0.6), (DOG, 51, 0.4)),
]


def test_each_object_is_found_once_and_crowds_do_not_count() -> None:
    matches = match_boxes(FOUND, TRUTH, CATEGORIES)
    assert matches.objects.tolist() == [3, 1, 0]
    assert matches.scores.tolist() == pytest.approx([0.9, 0.8, 0.7, 0.5])
    assert matches.labels.tolist() == [CAT, CAT, DOG, CAT]
    assert matches.correct.tolist() == [True, False, False, True]


def test_curves_over_confidence() -> None:
    curves = match_boxes(FOUND, TRUTH, CATEGORIES).over_confidence()
    at = {value: int(np.searchsorted(CONFIDENCES, value)) for value in (0.3, 0.6, 0.85, 0.95)}
    assert curves.recall[CAT][list(at.values())].tolist() == pytest.approx([2 / 3, 1 / 3, 1 / 3, 0])
    assert curves.precision[CAT][list(at.values())].tolist() == pytest.approx([2 / 3, 0.5, 1, 0])
    assert curves.f1[CAT][at[0.3]] == pytest.approx(2 / 3)
    assert curves.best_confidence() == 0.0


def test_confusion() -> None:
    matrix = confusion_matrix(FOUND, TRUTH, CATEGORIES, confidence=0.45)
    background = 3
    expected = np.zeros((4, 4), dtype=np.int64)
    expected[CAT, CAT] = 1
    expected[CAT, DOG] = 1  # the dog of 0.7 stands where the second cat is
    expected[background, CAT] = 2  # a second find, and the cat of 0.5 that came too late
    expected[CAT, background] = 1
    expected[DOG, background] = 1
    assert matrix.tolist() == expected.tolist()


def test_nothing_found_or_nothing_there() -> None:
    matches = match_boxes([], TRUTH, CATEGORIES)
    assert len(matches.scores) == 0 and not matches.over_confidence().recall.any()
    assert confusion_matrix([], TRUTH, CATEGORIES).sum() == 4
    only = confusion_matrix([found(1, (CAT, 0, 0.9))], truth(), CATEGORIES)
    assert only[3, CAT] == only.sum() == 1
