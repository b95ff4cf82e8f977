"""What labelling tools really write: the same reading in the doctor, training and evaluation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

import yolor_gp
from tests.tiny_network import TINY
from yolor_gp import UserError
from yolor_gp.data.labels.coco_dataset import coco_truth

QUICK: dict[str, Any] = {
    "hyp": "demo", "img": 64, "epochs": 1, "batch_size": 2, "workers": 0, "precision": "float32",
}  # fmt: skip
Annotation = dict[str, Any]


def annotation(number: int) -> Annotation:
    """One rectangle, as COCO writes it."""
    return {
        "id": number, "image_id": number, "category_id": 1, "bbox": [10, 10, 30, 20], "area": 600,
        "iscrowd": 0, "segmentation": [[10, 10, 40, 10, 40, 30, 10, 30]],
    }  # fmt: skip


def export(
    folder: Path, change: Callable[[int, Annotation], object] = lambda k, a: None, count: int = 4
) -> Path:
    """`count` pictures of 96 x 64 pixels with an object each, changed by `change`."""
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for number in range(1, count + 1):
        picture = np.full((64, 96, 3), 40 * number, np.uint8)
        cv2.imwrite(str(folder / "images" / f"{number}.png"), picture)
        images.append({"id": number, "file_name": f"{number}.png", "width": 96, "height": 64})
        annotations.append(annotation(number))
        change(number, annotations[-1])
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "thing"}],
    }
    (folder / "a.json").write_text(json.dumps(content))
    file = folder / "data.yaml"
    file.write_text("train: images\nval: images\nannotations: {train: a.json, val: a.json}\n")
    return file


def findings(data: Path) -> dict[str, str]:
    """What the doctor says, by kind."""
    found = yolor_gp.check_dataset(data).findings
    return {f"{finding.severity} {finding.kind}": str(finding) for finding in found}


def figures(data: Path, backend: Any = "hotcoco") -> dict[str, Any]:
    """Of one network with fresh weights, the same at every call."""
    torch.manual_seed(0)
    model = yolor_gp.load(TINY, device="cpu", classes=1)
    return model.val(data, img=64, workers=0, backend=backend).to_json()


def test_objects_without_outline_among_others(tmp_path: Path) -> None:
    def change(number: int, found: Annotation) -> None:
        if number in (2, 4):
            found["segmentation"] = [] if number == 2 else None

    data = export(tmp_path / "some", change)
    said = findings(data)["warning boxes among outlines"]
    assert "2 of 4 objects have no outline" in said
    assert "--boxes-only" in said
    run = yolor_gp.load(TINY, device="cpu").train(data, **QUICK, project=tmp_path)
    assert run.exit_code == 0
    assert run.figures.keys() >= {"box AP", "mask AP"}
    # Their boxes stand in for them: the truth is that of the outlined rectangles.
    whole = export(tmp_path / "all")
    for backend in ("hotcoco", "pycocotools"):
        assert figures(data, backend) == figures(whole, backend)


def test_a_crowd_without_outline(tmp_path: Path) -> None:
    def change(number: int, found: Annotation) -> None:
        if number == 1:
            found |= {"iscrowd": 1, "segmentation": []}

    data = export(tmp_path, change)
    assert figures(data, "hotcoco") == figures(data, "pycocotools")


@pytest.mark.parametrize("area", ["600", [600], None, -5, 0, True])
def test_areas_that_are_no_numbers(tmp_path: Path, area: Any) -> None:
    data = export(tmp_path / "odd", lambda number, found: found.update(area=area))
    whole = export(tmp_path / "whole")
    if area is not None:
        assert repr(area) in findings(data)["warning area no number"]
    for backend in ("hotcoco", "pycocotools"):
        assert figures(data, backend) == figures(whole, backend)


@pytest.mark.parametrize(
    ("segmentation", "expected"),
    [
        ([[0, 0, 10, 0, 10, 10, 0, 10]], 100),
        ({"size": [64, 96], "counts": [10, 20, 64 * 96 - 30]}, 20),
        (None, 600),
    ],
)
def test_a_missing_area_is_that_of_the_outline(
    tmp_path: Path, segmentation: Any, expected: float
) -> None:
    def change(number: int, found: Annotation) -> None:
        del found["area"]
        found["segmentation"] = segmentation

    data = export(tmp_path, change)
    assert coco_truth(data.parent / "a.json")["annotations"][0]["area"] == expected


def test_a_set_of_crowds_only(tmp_path: Path) -> None:
    runs = {"size": [64, 96], "counts": [10, 20, 64 * 96 - 30]}
    data = export(tmp_path, lambda k, found: found.update(iscrowd=1, segmentation=runs))
    assert "4 of 4 objects are iscrowd" in findings(data)["error no objects"]
    model = yolor_gp.load(TINY, device="cpu")
    with pytest.raises(UserError, match="4 of 4 objects are iscrowd"):
        model.train(data, **QUICK, project=tmp_path / "runs")


def test_iscrowd_in_words_is_refused(tmp_path: Path) -> None:
    data = export(tmp_path, lambda number, found: found.update(iscrowd="0"))
    assert "expected 0 or 1" in findings(data)["error malformed iscrowd"]
    with pytest.raises(UserError, match="annotation id 1: 'iscrowd' is '0'; expected 0 or 1"):
        figures(data)


@pytest.mark.parametrize("polygons", [[[10, 10, 40, 30]], [[]], [[1, 2], [10, 10, 40, 30]]])
def test_polygons_of_too_few_points(tmp_path: Path, polygons: Any) -> None:
    def change(number: int, found: Annotation) -> None:
        if number == 1:
            found["segmentation"] = polygons

    data = export(tmp_path / "odd", change)
    whole = export(tmp_path / "whole")
    for backend in ("hotcoco", "pycocotools"):
        assert figures(data, backend) == figures(whole, backend)


def test_normalised_boxes(tmp_path: Path) -> None:
    def change(number: int, found: Annotation) -> None:
        found["bbox"] = [0.1, 0.15, 0.31, 0.31]
        del found["segmentation"]

    data = export(tmp_path, change)
    said = findings(data)["error boxes under one pixel"]
    assert "all 4 boxes" in said
    assert "COCO wants pixels" in said


def test_whole_numbers_with_a_decimal_point(tmp_path: Path) -> None:
    data = export(
        tmp_path / "odd", lambda k, found: found.update(category_id=1.0, image_id=k * 1.0)
    )
    file = tmp_path / "odd" / "a.json"
    file.write_text(file.read_text().replace('"width": 96', '"width": 96.0'))
    assert not yolor_gp.check_dataset(data).errors
    assert figures(data) == figures(export(tmp_path / "whole"))
