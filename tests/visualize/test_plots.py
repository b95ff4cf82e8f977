from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from yolor_gp.visualize.plots import (
    plot_confusion,
    plot_dataset,
    plot_precision_recall,
    plot_training,
)


def is_picture(path: Path) -> bool:
    image = cv2.imread(str(path))
    return image is not None and min(image.shape[:2]) > 200 and int(np.ptp(image)) > 100


def test_training_curves(tmp_path: Path) -> None:
    history: dict[str, list[float]] = {
        "epoch": [1, 2, 3],
        "loss": [3.0, 2.0, 1.5],
        "AP": [0.1, 0.2],
    }
    plot_training(history, tmp_path / "a.png")
    assert is_picture(tmp_path / "a.png")


def test_precision_recall_leaves_out_classes_without_truth(tmp_path: Path) -> None:
    curves = {"cat": np.linspace(1, 0, 101), "dog": np.full(101, -1.0), "cow": np.full(101, np.nan)}
    plot_precision_recall(curves, tmp_path / "a.png")
    assert is_picture(tmp_path / "a.png")


def test_no_curve_at_all_is_still_a_picture(tmp_path: Path) -> None:
    plot_precision_recall({}, tmp_path / "a.png")
    plot_training({"epoch": []}, tmp_path / "b.png")
    assert is_picture(tmp_path / "a.png") and is_picture(tmp_path / "b.png")


@pytest.mark.parametrize("classes", [2, 25])
def test_confusion(tmp_path: Path, classes: int) -> None:
    matrix = np.eye(classes + 1) * 5
    plot_confusion(matrix, [f"class {i}" for i in range(classes)], tmp_path / "a.png")
    assert is_picture(tmp_path / "a.png")


def test_a_confusion_matrix_without_background_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a matrix of 3 rows"):
        plot_confusion(np.eye(2), ["a", "b"], tmp_path / "a.png")


def test_dataset_histograms(tmp_path: Path) -> None:
    sizes = {4: 20, 50: 10, 300: 20}
    images = {(640, 480): 7, (480, 640): 2}
    plot_dataset({"cat": 30, "dog": 20}, sizes, images, tmp_path / "a.png", "train")
    plot_dataset({}, {}, {}, tmp_path / "b.png")
    assert is_picture(tmp_path / "a.png") and is_picture(tmp_path / "b.png")
