"""Non-maximum suppression of 6,000 candidates, confidence 0.001, several labels a box."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from benchmarks.inputs import FRAME, NUM_CLASSES, NUM_COEFFICIENTS, Array, candidates
from benchmarks.settings import Settings
from benchmarks.timing import Run, timed
from benchmarks.work import Target, Work
from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.detection.postprocess import select_detections

CONFIDENCE, OVERLAP, MOST = 0.001, 0.65, 300


def ours(settings: Settings) -> Run:
    """From decoded rows to the 300 detections of the image."""
    torch.set_num_threads(settings.threads)
    rows = candidates()
    boxes = torch.from_numpy(rows.boxes)
    values = np.concatenate((rows.objectness[:, None], rows.classes, rows.coefficients), axis=1)
    scores = torch.from_numpy(values)
    config = ValidationConfig(confidence=CONFIDENCE, nms_iou=OVERLAP, max_detections=MOST)

    def work(_: None) -> Array:
        found = select_detections(
            boxes, scores, None, config, image_size=(FRAME, FRAME), num_classes=NUM_CLASSES
        )
        columns = (found.boxes, found.scores[:, None], found.labels[:, None].float())
        return torch.cat(columns, dim=1).numpy()

    return timed(work)


def _decoded(objectness: bool) -> torch.Tensor:
    """The layout that both peers' functions document: [1, R, 4 + 1 + C + K], cxcywh."""
    rows = candidates()
    centre = (rows.boxes[:, :2] + rows.boxes[:, 2:]) / 2
    size = rows.boxes[:, 2:] - rows.boxes[:, :2]
    middle = [rows.objectness[:, None], rows.classes]
    if not objectness:
        middle = [rows.objectness[:, None] * rows.classes]
    joined = np.concatenate((centre, size, *middle, rows.coefficients), axis=1)
    return torch.from_numpy(joined.astype(np.float32))[None]


def yolov5(settings: Settings) -> Run:
    """`non_max_suppression` of the package."""
    from yolov5.utils.general import non_max_suppression

    torch.set_num_threads(settings.threads)
    prediction = _decoded(objectness=True)

    def work(_: None) -> Array:
        found = non_max_suppression(
            prediction, CONFIDENCE, OVERLAP, multi_label=True, max_det=MOST, nm=NUM_COEFFICIENTS
        )
        result: Array = found[0][:, :6].numpy()
        return result

    return timed(work)


def ultralytics(settings: Settings) -> Run:
    """`non_max_suppression` of the package."""
    from ultralytics.utils.nms import non_max_suppression

    torch.set_num_threads(settings.threads)
    prediction = _decoded(objectness=False).transpose(1, 2).contiguous()

    def work(_: None) -> Array:
        found = non_max_suppression(
            prediction, CONFIDENCE, OVERLAP, multi_label=True, max_det=MOST, nc=NUM_CLASSES
        )
        result: Array = found[0][:, :6].numpy()
        return result

    return timed(work)


def agree(mine: Any, theirs: Any) -> str:
    """The same detections: boxes within 0.01 px, scores within 1e-5, classes equal."""

    def ordered(found: Array) -> Array:
        return found[np.lexsort((found[:, 0], found[:, 5], -found[:, 4].round(4)))]

    assert len(mine) == len(theirs), f"{len(mine)} detections against {len(theirs)}"
    first, second = ordered(mine), ordered(theirs)
    assert np.abs(first[:, :4] - second[:, :4]).max() < 0.01
    assert np.abs(first[:, 4] - second[:, 4]).max() < 1e-5
    assert (first[:, 5] == second[:, 5]).all()
    return f"the same {len(mine)} detections"


WORKS = (
    Work(
        name="nms",
        title="NMS of 6,000 candidates, confidence 0.001, multi-label",
        ours="benchmarks.works.nms:ours",
        peers={
            "yolov5": "benchmarks.works.nms:yolov5",
            "ultralytics": "benchmarks.works.nms:ultralytics",
        },
        unit="ms",
        scale=1e3,
        target=Target("at least", 2),
        repeats=31,
        agree=agree,
    ),
)
