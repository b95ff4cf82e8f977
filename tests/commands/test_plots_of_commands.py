from __future__ import annotations

from pathlib import Path

import cv2
import torch

from yolor_gp.commands.val import write_plots
from yolor_gp.detection.runs import write_training_plot
from yolor_gp.evaluation.coco_evaluator import CocoEvaluator
from yolor_gp.structures.detections import Detections
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
    files = write_plots(evaluator(), tmp_path / "plots")
    assert [file.name for file in files] == ["precision-recall.png", "confusion.png"]
    assert all(min(cv2.imread(str(file)).shape[:2]) > 200 for file in files)


def test_the_plot_of_a_training(tmp_path: Path) -> None:
    assert write_training_plot(tmp_path) is None
    (tmp_path / "metrics.csv").write_text("epoch,train/total,val/box AP\n1,3.5,\n2,3.0,0.1\n")
    picture = write_training_plot(tmp_path)
    assert picture is not None and cv2.imread(str(picture)).shape[1] > 300
