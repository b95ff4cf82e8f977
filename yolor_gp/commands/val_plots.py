"""The pictures of `val.py --plots`: precision over recall, and the confusion matrix."""

from __future__ import annotations

from pathlib import Path

from yolor_gp.errors import UserError
from yolor_gp.evaluation.coco_evaluator import CocoEvaluator
from yolor_gp.evaluation.curves import confusion_matrix, match_boxes
from yolor_gp.visualize.plots import plot_confusion, plot_precision_recall


def write_plots(evaluator: CocoEvaluator, folder: str | Path) -> tuple[Path, Path]:
    """Draw what `evaluator` has gathered into `folder`; the files written. Raises `UserError`.

    The confusion matrix counts detections from the confidence on at which F1 is highest.
    """
    truth = evaluator.truth
    matches = match_boxes(evaluator.images(), evaluator.coco, truth.category_ids)
    confidence = matches.over_confidence().best_confidence()
    matrix = confusion_matrix(
        evaluator.images(), evaluator.coco, truth.category_ids, confidence=confidence
    )
    curves = dict(zip(truth.names, matches.precision_over_recall(), strict=True))
    files = (Path(folder) / "precision-recall.png", Path(folder) / "confusion.png")
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        plot_precision_recall(curves, files[0])
        plot_confusion(matrix, truth.names, files[1], f"boxes of confidence {confidence:.2f}")
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror})") from None
    return files
