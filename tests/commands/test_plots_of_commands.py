from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import torch

from tests.data.data_sets import Painted
from yolor_gp.detection.stage_clock import StageClock
from yolor_gp.detection.val_pictures import write_plots
from yolor_gp.engine.runs import write_training_plot
from yolor_gp.evaluation.class_table import class_table
from yolor_gp.evaluation.coco_evaluator import CocoEvaluator
from yolor_gp.evaluation.coco_format import image_result
from yolor_gp.evaluation.curves import match_boxes
from yolor_gp.structures.detections import BoxMasks, Detections
from yolor_gp.structures.ground_truth import GroundTruth


def evaluator() -> CocoEvaluator:
    annotation = {"id": 1, "image_id": 1, "category_id": 3, "bbox": [5, 5, 20, 10]}
    content = {
        "images": [{"id": 1, "file_name": "0.png", "height": 48, "width": 64}],
        "annotations": [annotation | {"area": 200, "iscrowd": 0}],
        "categories": [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}],
    }
    truth = GroundTruth((3, 7), ("cat", "dog"), lambda: content)
    gathered = CocoEvaluator(truth, with_masks=False)
    boxes = torch.tensor([[5.0, 5, 25, 15], [40, 20, 60, 40]])
    gathered.process(1, Detections((48, 64), boxes, torch.tensor([0.9, 0.3]), torch.tensor([0, 1])))
    return gathered


def test_plots_of_an_evaluation(tmp_path: Path) -> None:
    gathered = evaluator()
    gathered.evaluate()
    files = write_plots(gathered, tmp_path / "plots")
    assert [file.name for file in files] == [
        "precision-recall.png",
        "confidence.png",
        "confusion.png",
    ]
    assert all(min(cv2.imread(str(file)).shape[:2]) > 200 for file in files)


def test_the_plot_of_a_training(tmp_path: Path) -> None:
    assert write_training_plot(tmp_path) is None
    rows = "epoch,train/total,val/box AP\n1,3.5,\n"
    (tmp_path / "metrics.csv").write_text(rows)
    assert write_training_plot(tmp_path) is None
    (tmp_path / "metrics.csv").write_text(f"{rows}2,3.0,0.1\n")
    picture = write_training_plot(tmp_path)
    assert picture is not None and cv2.imread(str(picture)).shape[1] > 300


def test_mistakes_are_drawn_and_classes_told(tmp_path: Path) -> None:
    dataset = Painted(tmp_path / "painted").open(64)
    gathered = CocoEvaluator(dataset.ground_truth(), with_masks=False)
    # The first image's first object is found, the others are not; one detection is of nothing.
    for index, image_id in enumerate(dataset.image_ids.tolist()):
        size = dataset.original_size(index)
        own = dataset.instances(index)
        boxes = torch.tensor(own.boxes[:1] if index == 0 else [[0.0, 0, 3, 3]]).float()
        label = int(own.labels[0]) if index == 0 else 0
        score = torch.tensor([0.9 if index == 0 else 0.8])
        gathered.process(image_id, Detections(size, boxes, score, torch.tensor([label])))
    result = gathered.evaluate()
    files = write_plots(gathered, tmp_path / "plots", dataset)
    pictures = [file for file in files if file.parent.name == "mistakes"]
    assert pictures and all(file.is_file() for file in files)
    counts = [int(file.name.split("-")[1]) for file in pictures]
    assert counts == sorted(counts, reverse=True) and counts[-1] > 0
    picture = cv2.cvtColor(cv2.imread(str(pictures[0])), cv2.COLOR_BGR2RGB).astype(int)  # type: ignore[arg-type]
    red = (abs(picture - np.array([235, 60, 50])) < 40).all(axis=2)
    assert red.sum() > 20
    matches = match_boxes(gathered.images(), gathered.coco, gathered.truth.category_ids)
    table = class_table(result, matches, gathered.truth.names).splitlines()
    assert table[0].split() == ["class", "objects", "box", "AP", "P", "R", "F1", "at"]
    objects = [int(line.split()[-6]) for line in table[1:]]
    assert objects == sorted(objects, reverse=True) and sum(objects) == matches.objects.sum()


def test_the_stages_add_up() -> None:
    clock = StageClock()
    assert list(clock.waiting(iter([1, 2]), "load")) == [1, 2]
    with clock.stage("network"):
        time.sleep(0.02)
    with clock.stage("network"):
        time.sleep(0.02)
    assert 0.04 <= clock.seconds["network"] < 1 and clock.seconds["load"] < 0.02
    assert clock.words(2).startswith("ms an image: 0.0 load, 2")


def test_what_was_kept_is_given_back() -> None:
    mask = np.zeros((20, 10), bool)  # of the window, column by column
    mask[4:9, 2:7] = True
    masks = BoxMasks((48, 64), np.array([[5, 5, 25, 15]]), [mask])
    boxes = torch.tensor([[5.0, 5, 25, 15]])
    before = Detections((48, 64), boxes, torch.tensor([0.5]), torch.tensor([1]), masks)
    after = image_result(3, before, with_masks=True).detections()
    assert torch.equal(after.boxes, boxes) and isinstance(after.masks, BoxMasks)
    assert np.array_equal(after.masks.dense(), masks.dense())
