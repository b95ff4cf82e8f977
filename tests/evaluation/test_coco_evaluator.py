from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hotcoco
import numpy as np
import pycocotools.mask
import pytest
import torch

from yolor_gp.errors import UserError
from yolor_gp.evaluation.coco_backends import Backend
from yolor_gp.evaluation.coco_evaluator import CocoEvaluator
from yolor_gp.structures.detections import BoxMasks, Detections
from yolor_gp.structures.ground_truth import GroundTruth

BACKENDS: tuple[Backend, ...] = ("hotcoco", "pycocotools")
SIZE = (60, 80)


def box_masks(boxes: torch.Tensor, size: tuple[int, int]) -> BoxMasks:
    windows = boxes.round().long().numpy()
    return BoxMasks(
        size,
        windows,
        tuple(np.ones((x2 - x1, y2 - y1), dtype=np.bool_) for x1, y1, x2, y2 in windows.tolist()),
    )


def detections(boxes: list[list[float]], labels: list[int], scores: list[float]) -> Detections:
    found = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return Detections(
        SIZE,
        found,
        torch.tensor(scores, dtype=torch.float32),
        torch.tensor(labels, dtype=torch.int64),
        box_masks(found, SIZE),
    )


def square(image: int, category: int, left: int, side: int, **more: Any) -> dict[str, Any]:
    right, top, bottom = left + side, 5, 5 + side
    ring = [left, top, right, top, right, bottom, left, bottom]
    box = [left, top, side, side]
    row = {"image_id": image, "category_id": category, "bbox": box, "segmentation": [ring]}
    return {**row, **more}


def small_truth(*annotations: dict[str, Any]) -> GroundTruth:
    """Three images; categories 7 and 3, so ids are neither dense nor sorted."""
    numbered = [{"id": number, **row} for number, row in enumerate(annotations)]
    coco = {
        "images": [{"id": n, "height": SIZE[0], "width": SIZE[1]} for n in (10, 11, 12)],
        "annotations": numbered,
        "categories": [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}],
    }
    return GroundTruth((7, 3), ("cat", "dog"), lambda: coco)


TRUTH = (square(10, 7, 5, 20), square(10, 3, 40, 20), square(11, 7, 10, 30))
FOUND: dict[int, tuple[list[list[float]], list[int], list[float]]] = {
    10: ([[5, 5, 25, 25], [40, 5, 60, 25]], [0, 1], [0.9, 0.8]),
    11: ([[50, 5, 70, 25], [10, 5, 40, 35]], [0, 0], [0.7, 0.6]),
}


@pytest.fixture(params=BACKENDS)
def evaluate(request: pytest.FixtureRequest) -> Callable[..., CocoEvaluator]:
    def build(truth: GroundTruth, with_masks: bool = True) -> CocoEvaluator:
        return CocoEvaluator(truth, with_masks=with_masks, backend=request.param)

    return build


def test_a_hand_made_case(
    evaluate: Callable[..., CocoEvaluator], capsys: pytest.CaptureFixture[str]
) -> None:
    evaluator = evaluate(small_truth(*TRUTH))
    for image, found in FOUND.items():
        evaluator.process(image, detections(*found))
    result = evaluator.evaluate()
    assert result.segm is not None
    # Dogs are perfect. Cats: right at rank 1 and 3, so precision 1 up to recall 0.5, 2/3 beyond.
    cat = (51 * 1 + 50 * 2 / 3) / 101
    for figures in (result.bbox, result.segm):
        assert figures.per_class == pytest.approx({"cat": cat, "dog": 1.0})
        assert figures["AP"] == pytest.approx((cat + 1) / 2)
        assert figures["AR100"] == 1 and figures["APl"] == -1
    assert capsys.readouterr().out == ""
    assert "Average Precision" in evaluator.accumulated["segm"].report
    curve = evaluator.precision_over_recall()["cat"]
    assert curve.tolist() == pytest.approx([1.0] * 51 + [2 / 3] * 50)
    assert result.to_json()["segm"]["per_class"]["dog"] == pytest.approx(1.0)


def test_annotation_zero_counts_as_found(evaluate: Callable[..., CocoEvaluator]) -> None:
    evaluator = evaluate(small_truth(TRUTH[0]), with_masks=False)
    evaluator.process(10, detections([[5, 5, 25, 25]], [0], [0.9]))
    assert evaluator.evaluate().bbox["AP"] == pytest.approx(1.0)


def test_crowds_are_neither_missed_nor_wrongly_found(
    evaluate: Callable[..., CocoEvaluator],
) -> None:
    evaluator = evaluate(small_truth(TRUTH[0], square(10, 7, 40, 20, iscrowd=1)), with_masks=False)
    boxes = [[42.0, 7.0, 55.0, 20.0], [5.0, 5.0, 25.0, 25.0]]
    evaluator.process(10, detections(boxes, [0, 0], [0.95, 0.9]))
    assert evaluator.evaluate().bbox["AP"] == pytest.approx(1.0)


@pytest.mark.parametrize("processed", [True, False])
def test_no_detections_at_all_are_zeros(
    evaluate: Callable[..., CocoEvaluator], processed: bool
) -> None:
    evaluator = evaluate(small_truth(*TRUTH))
    if processed:
        evaluator.process(10, detections([], [], []))
    result = evaluator.evaluate()
    assert result.segm is not None
    for figures in (result.bbox, result.segm):
        assert figures["AP"] == 0 and figures["AR100"] == 0
        assert figures.per_class == {"cat": 0.0, "dog": 0.0}


def test_no_truth_at_all_is_minus_one(evaluate: Callable[..., CocoEvaluator]) -> None:
    evaluator = evaluate(small_truth())
    evaluator.process(10, detections(*FOUND[10]))
    result = evaluator.evaluate()
    assert result.bbox["AP"] == -1 and result.bbox.per_class == {"cat": -1.0, "dog": -1.0}


def test_shares_of_several_processes_are_one_evaluation() -> None:
    whole = CocoEvaluator(small_truth(*TRUTH), with_masks=True)
    shares = [CocoEvaluator(small_truth(*TRUTH), with_masks=True) for _ in range(3)]
    for image, found in FOUND.items():
        whole.process(image, detections(*found))
        # A sampler that fills up deals some image twice; the third process gets none.
        for share in shares[: 2 if image == 10 else 1]:
            share.process(image, detections(*found))
    states = [pickle.loads(pickle.dumps(share.state())) for share in shares]
    shares[2].merge(states)
    assert shares[2].results() == whole.results()
    assert shares[2].evaluate() == whole.evaluate()
    shares[2].reset()
    assert shares[2].results() == [] and shares[2].evaluate().bbox["AP"] == 0


def test_results_are_the_coco_format_and_give_the_same_figures(tmp_path: Path) -> None:
    evaluator = CocoEvaluator(small_truth(*TRUTH), with_masks=True)
    for image, found in FOUND.items():
        evaluator.process(image, detections(*found))
    rows = json.loads(json.dumps(evaluator.results()))
    assert [row["category_id"] for row in rows] == [7, 3, 7, 7]
    assert rows[0]["bbox"] == [5, 5, 20, 20] and rows[0]["image_id"] == 10
    assert pycocotools.mask.area(rows[0]["segmentation"]) == 400


def test_what_does_not_fit_is_said() -> None:
    evaluator = CocoEvaluator(small_truth(*TRUTH), with_masks=True)
    with pytest.raises(ValueError, match="image 10: expected labels below 2"):
        evaluator.process(10, detections([[5, 5, 25, 25]], [2], [0.9]))
    plain = Detections(SIZE, torch.zeros(1, 4), torch.zeros(1), torch.zeros(1, dtype=torch.int64))
    with pytest.raises(ValueError, match="expected detections with masks"):
        evaluator.process(10, plain)
    evaluator.process(99, detections(*FOUND[10]))
    with pytest.raises(UserError, match="id 99"):
        evaluator.evaluate()


def test_a_box_stands_in_for_a_missing_outline() -> None:
    figures = []
    for outline in ([], [[5, 5, 25, 5, 25, 25, 5, 25]]):
        truth = small_truth(square(10, 7, 5, 20, segmentation=outline))
        evaluator = CocoEvaluator(truth, with_masks=True)
        evaluator.process(10, detections([[5, 5, 25, 25]], [0], [0.9]))
        figures.append(evaluator.evaluate().segm)
    assert figures[0] == figures[1]
    assert figures[0] is not None and figures[0]["AP"] == pytest.approx(1.0)


def demo_evaluator(folder: Path, kind: str, backend: Backend) -> CocoEvaluator:
    truth = json.loads((folder / "instances_val2014_100.json").read_text())
    rows = json.loads((folder / f"instances_val2014_fake{kind}100_results.json").read_text())
    categories = [category["id"] for category in truth["categories"]]
    names = tuple(category["name"] for category in truth["categories"])
    evaluator = CocoEvaluator(
        GroundTruth(tuple(categories), names, lambda: truth),
        with_masks=kind == "segm",
        backend=backend,
    )
    images: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        images.setdefault(row["image_id"], []).append(row)
    for image, found in images.items():
        size, masks = (1, 1), None
        if kind == "segm":
            rle = [row["segmentation"] for row in found]
            size = tuple(rle[0]["size"])
            columns = tuple(hotcoco.mask.decode(one).T.astype(np.bool_) for one in rle)
            window = [[0, 0, size[1], size[0]]] * len(rle)
            masks = BoxMasks(size, np.array(window), columns)
            for one, row in zip(pycocotools.mask.toBbox(rle), found, strict=True):
                row["bbox"] = one
        boxes = torch.tensor(np.array([row["bbox"] for row in found]))
        boxes[:, 2:] += boxes[:, :2]
        labels = torch.tensor([categories.index(row["category_id"]) for row in found])
        scores = torch.tensor([row["score"] for row in found])
        evaluator.process(image, Detections(size, boxes.float(), scores, labels, masks))
    return evaluator


@pytest.mark.coco
@pytest.mark.parametrize(
    ("kind", "expected"), [("bbox", (0.505, 0.697, 0.573)), ("segm", (0.320, 0.562, 0.299))]
)
def test_the_demo_gives_its_published_figures_on_both_backends(
    shared: Path, kind: str, expected: tuple[float, float, float]
) -> None:
    results = [
        demo_evaluator(shared / "data/cocoeval-demo", kind, backend).evaluate()
        for backend in BACKENDS
    ]
    figures = results[0].segm if kind == "segm" else results[0].bbox
    assert figures is not None
    found = tuple(round(figures[name], 3) for name in ("AP", "AP50", "AP75"))
    assert found == expected
    assert results[0] == results[1]
