"""Images whose detections are all right, and those with most mistakes, beside their truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from hotcoco.mask import decode, frPyObjects, merge
from numpy.typing import NDArray

from yolor_gp.detection.validate import Validation
from yolor_gp.evaluation.curves import Mistakes, mistakes
from yolor_gp.structures.detections import BoxMasks, Detections
from yolor_gp.visualize.batches import tile
from yolor_gp.visualize.draw import DrawingStyle, draw_detections

_WIDTH = 420  # pixels of one of the two pictures
_TRUTH = DrawingStyle(scores=False)


@dataclass(frozen=True)
class Pair:
    """Truth on the left, detections on the right: u8[H, W, 3] RGB, and what to say of it."""

    picture: NDArray[np.uint8]
    words: str


@dataclass(frozen=True)
class Chosen:
    """The images that tell most.

    best: without a mistake, those with most objects; worst: with most mistakes.
    """

    best: list[Pair]
    worst: list[Pair]


def choose(found: Validation, confidence: float, count: int = 6) -> Chosen:
    """Draw `count` of either kind, as seen at a confidence."""
    evaluator, dataset = found.evaluator, found.dataset
    truth = evaluator.truth
    counted = mistakes(
        evaluator.images(), evaluator.coco, truth.category_ids, confidence=confidence
    )
    objects: dict[int, list[dict[str, Any]]] = {one.image_id: [] for one in counted}
    for annotation in evaluator.coco["annotations"]:
        if not annotation["iscrowd"]:
            objects[annotation["image_id"]].append(annotation)
    right = [one for one in counted if not len(one) and objects[one.image_id]]
    right.sort(key=lambda one: -len(objects[one.image_id]))
    wrong = sorted((one for one in counted if len(one)), key=len, reverse=True)
    index_of = {image: index for index, image in enumerate(dataset.image_ids.tolist())}
    results = {result.image_id: result for result in evaluator.images()}

    def pair(one: Mistakes) -> Pair:
        index = index_of[one.image_id]
        image = dataset.read_original(index)
        size = (image.shape[0], image.shape[1])
        own = _truth(objects[one.image_id], truth.category_ids, size)
        seen = None
        if one.image_id in results:
            everything = results[one.image_id].detections()
            seen = everything.select(everything.scores >= confidence)
        left = draw_detections(image, own, truth.names, _TRUTH)
        right = image if seen is None else draw_detections(image, seen, truth.names)
        counts = f"{len(own)} objects, {len(one.missed)} missed, {len(one.false)} false"
        words = f"{dataset.image_name(index)}: {counts}"
        return Pair(tile([_small(left), _small(right)], columns=2), words)

    return Chosen([pair(one) for one in right[:count]], [pair(one) for one in wrong[:count]])


def _truth(
    rows: list[dict[str, Any]], category_ids: tuple[int, ...], size: tuple[int, int]
) -> Detections:
    boxes = torch.tensor([row["bbox"] for row in rows], dtype=torch.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    labels = torch.tensor([category_ids.index(row["category_id"]) for row in rows])
    masks = None
    if rows and all(row.get("segmentation") for row in rows):
        whole = np.array([[0, 0, size[1], size[0]]] * len(rows), np.int64)
        columns = [_bitmap(row["segmentation"], size).T.astype(np.bool_) for row in rows]
        masks = BoxMasks(size, whole, columns)
    return Detections(size, boxes, torch.ones(len(rows)), labels.long(), masks)


def _bitmap(segmentation: Any, size: tuple[int, int]) -> NDArray[np.uint8]:
    """u8[H, W] of polygons or RLE, compressed or not."""
    if isinstance(segmentation, list):
        segmentation = merge(frPyObjects(segmentation, *size))
    elif isinstance(segmentation["counts"], list):
        segmentation = frPyObjects(segmentation, *size)
    bitmap: NDArray[np.uint8] = decode(segmentation)
    return bitmap


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height = max(round(image.shape[0] * _WIDTH / image.shape[1]), 1)
    small: NDArray[np.uint8] = cv2.resize(  # type: ignore[assignment]
        image, (_WIDTH, height), interpolation=cv2.INTER_AREA
    )
    return small
