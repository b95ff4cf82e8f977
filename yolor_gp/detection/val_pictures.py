"""What `val.py --plots` leaves: curves, the confusion matrix, and images with mistakes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from yolor_gp.data.detection_dataset import DetectionDataset
from yolor_gp.errors import UserError
from yolor_gp.evaluation.coco_evaluator import CocoEvaluator
from yolor_gp.evaluation.curves import Mistakes, confusion_matrix, match_boxes, mistakes
from yolor_gp.visualize.draw import draw_box, draw_label
from yolor_gp.visualize.plots import plot_confidence, plot_confusion, plot_precision_recall

_MOST_PICTURES = 20
_MISSED, _FALSE = (235, 60, 50), (250, 190, 40)
"""Red: an object that was not found; amber: a detection without an object."""


def write_plots(
    evaluator: CocoEvaluator, folder: str | Path, dataset: DetectionDataset | None = None
) -> list[Path]:
    """Draw what `evaluator` has gathered and evaluated into `folder`; the files written.

    The confusion matrix and the mistakes count detections from the confidence on at which F1 is
    highest. Of the images of `dataset` those with most mistakes are drawn, into `mistakes/`.

    Raises:
        UserError: When they cannot be written, or an image cannot be read.
    """
    truth, images, target = evaluator.truth, evaluator.images(), Path(folder)
    matches = match_boxes(images, evaluator.coco, truth.category_ids)
    over_confidence = matches.over_confidence()
    confidence = over_confidence.best_confidence()
    matrix = confusion_matrix(images, evaluator.coco, truth.category_ids, confidence=confidence)
    names = ("precision-recall.png", "confidence.png", "confusion.png")
    files = [target / name for name in names]
    try:
        target.mkdir(parents=True, exist_ok=True)
        plot_precision_recall(evaluator.precision_over_recall(), files[0])
        plot_confidence(over_confidence, matches.objects > 0, files[1])
        plot_confusion(matrix, truth.names, files[2], f"boxes of confidence {confidence:.2f}")
        if dataset is not None:
            found = mistakes(images, evaluator.coco, truth.category_ids, confidence=confidence)
            files += _draw_mistakes(found, dataset, truth.names, target / "mistakes")
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror})") from None
    return files


def _draw_mistakes(
    found: list[Mistakes], dataset: DetectionDataset, names: tuple[str, ...], folder: Path
) -> list[Path]:
    """The images with most of them, the worst first."""
    index_of = {image: index for index, image in enumerate(dataset.image_ids.tolist())}
    worst = sorted((one for one in found if len(one)), key=len, reverse=True)[:_MOST_PICTURES]
    if worst:
        folder.mkdir(exist_ok=True)
    files = []
    for rank, one in enumerate(worst):
        index = index_of[one.image_id]
        canvas = np.ascontiguousarray(dataset.read_original(index)).copy()
        width = max(2, round(max(canvas.shape) / 400))
        for boxes, labels, colour, word in (
            (one.missed, one.missed_labels, _MISSED, "missed"),
            (one.false, one.false_labels, _FALSE, "false"),
        ):
            for box, label in zip(boxes, labels.tolist(), strict=True):
                corners = np.concatenate((box[:2], box[:2] + box[2:])).astype(np.float32)
                draw_box(canvas, corners, colour, width)
                draw_label(canvas, corners, f"{word}: {names[label]}", colour)
        stem = dataset.image_name(index)[:80]
        file = folder / f"{rank:02d}-{len(one)}-{stem}.jpg"
        cv2.imwrite(str(file), cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR))
        files.append(file)
    return files
