"""AP of drawn images, and what is concluded from it."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pycocotools.coco
import pycocotools.cocoeval
import pytest
from numpy.typing import NDArray

from yolor_gp.ablation.matching import Matches, match
from yolor_gp.ablation.paired import Difference, paired_difference
from yolor_gp.errors import UserError

IMAGES, CLASSES = 12, 2


def truth() -> dict[str, Any]:
    """Some objects an image, some of them crowds."""
    chance = np.random.default_rng(0)
    annotations = []
    for number in range(40):
        left, top, width, height = [int(v) for v in chance.integers(5, 60, 4)]
        annotations.append({
            "id": number + 1, "image_id": int(chance.integers(IMAGES)) + 1,
            "category_id": 1 + number % CLASSES, "bbox": [left, top, width, height],
            "area": width * height, "iscrowd": int(number % 11 == 0),
        })  # fmt: skip
    return {
        "images": [{"id": i + 1, "width": 128, "height": 128} for i in range(IMAGES)],
        "categories": [{"id": c + 1, "name": f"class {c}"} for c in range(CLASSES)],
        "annotations": annotations,
    }


def found(noise: float, seed: int) -> list[dict[str, Any]]:
    """The objects moved by `noise` pixels, and some that are not there."""
    chance = np.random.default_rng(seed)
    rows = []
    for object_ in truth()["annotations"]:
        for _ in range(2):
            box = np.array(object_["bbox"]) + chance.normal(0, noise, 4)
            rows.append({
                "image_id": object_["image_id"], "category_id": object_["category_id"],
                "bbox": [round(float(v), 2) for v in np.maximum(box, 1)],
                "score": float(chance.uniform(0.1, 1)),
            })  # fmt: skip
    return rows


def matches(folder: Path, noise: float, seed: int) -> Matches:
    file = folder / f"{noise}-{seed}.json"
    file.write_text(json.dumps(found(noise, seed)))
    return match(truth(), file)


@pytest.mark.parametrize("noise", [1.0, 6.0])
def test_the_average_precision_is_that_of_pycocotools(tmp_path: Path, noise: float) -> None:
    assert matches(tmp_path, noise, 1).score() == pytest.approx(
        reference(found(noise, 1), np.ones(IMAGES, np.int64)), abs=1e-12
    )


def test_drawn_images_count_as_often_as_they_are_drawn(tmp_path: Path) -> None:
    times = np.random.default_rng(3).multinomial(IMAGES, [1 / IMAGES] * IMAGES)
    assert matches(tmp_path, 3.0, 2).score(times) == pytest.approx(
        reference(found(3.0, 2), times), abs=1e-12
    )


def reference(rows: list[dict[str, Any]], times: NDArray[np.int64]) -> float:
    """pycocotools itself, on a data set in which image i stands times[i] times."""
    source = truth()
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for index, count in enumerate(times.tolist()):
        for copy in range(count):
            number = 1000 * (index + 1) + copy
            images.append({"id": number, "width": 128, "height": 128})
            for a in source["annotations"]:
                if a["image_id"] == index + 1:
                    annotations.append({**a, "image_id": number, "id": len(annotations) + 1})
            results += [{**r, "image_id": number} for r in rows if r["image_id"] == index + 1]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = pycocotools.coco.COCO()
        coco.dataset = {**source, "images": images, "annotations": annotations}
        coco.createIndex()
        evaluation = pycocotools.cocoeval.COCOeval(coco, coco.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


def test_unreadable_results_are_named(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("[")
    with pytest.raises(UserError, match=r"bad\.json: cannot be read"):
        match(truth(), tmp_path / "bad.json")


def test_a_difference_that_is_there_is_told(tmp_path: Path) -> None:
    good = {seed: matches(tmp_path, 1.0, seed) for seed in (1, 2, 3)}
    poor = {seed: matches(tmp_path, 8.0, seed) for seed in (1, 2, 3)}
    gap = paired_difference(poor, good, draws=200)
    assert gap is not None and gap.is_told and gap.low < gap.mean < gap.high < 0
    assert gap.mean == pytest.approx(sum(poor[s].score() - good[s].score() for s in poor) / 3)
    assert "poor is worse than good here" in gap.words("poor", "good")
    assert paired_difference(poor, good, draws=200) == gap  # always the same draws


def test_equal_rows_cannot_be_told_apart(tmp_path: Path) -> None:
    first = {seed: matches(tmp_path, 4.0, seed) for seed in (1, 2, 3)}
    second = {seed: matches(tmp_path, 4.0, seed + 10) for seed in (1, 2, 3)}
    gap = paired_difference({s: second[s] for s in (1, 2, 3)}, first, draws=200)
    assert gap is not None and not gap.is_told and gap.low < 0 < gap.high
    assert "cannot be told apart" in gap.words("b", "a")
    same = paired_difference(first, first, draws=20)
    assert same == Difference((0.0, 0.0, 0.0), 0.0, 0.0)


def test_one_seed_concludes_nothing(tmp_path: Path) -> None:
    one = {1: matches(tmp_path, 1.0, 1)}
    gap = paired_difference({1: matches(tmp_path, 8.0, 1)}, one, draws=50)
    assert gap is not None and "no conclusion" in gap.words("b", "a")
    assert paired_difference({2: one[1]}, one, draws=5) is None
