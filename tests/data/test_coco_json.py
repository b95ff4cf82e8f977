"""COCO JSON: every kind of label, every kind of mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from tests.data.data_sets import CATEGORY_IDS, NAMES, Painted
from yolor_gp.data.detection_dataset import DetectionDataset
from yolor_gp.data.labels.coco_dataset import coco_truth, open_coco
from yolor_gp.data.labels.coco_json import parse_coco
from yolor_gp.errors import UserError


def test_labels_follow_sorted_category_ids(painted: Painted) -> None:
    dataset = painted.open()
    assert dataset.names == NAMES  # though the file lists them backwards
    assert dataset.ground_truth().category_ids == CATEGORY_IDS
    assert dataset.image_ids.tolist() == list(range(100, 112))
    assert dataset.has_masks


def test_samples_hold_polygons_and_bitmaps(painted: Painted) -> None:
    dataset = painted.open()
    for index in range(len(dataset)):
        sample = dataset.load(index)
        assert sample.image.shape[:2] == sample.meta.original_size
        for label, box, mask in zip(sample.labels, sample.boxes, sample.masks, strict=True):
            if label == 2:
                assert isinstance(mask, np.ndarray)
                painted_pixels = (sample.image == (40, 40, 250)).all(axis=2)
                # Outlines are good to a quarter of a pixel, and their edge pixels are painted.
                assert (mask >= painted_pixels).all() and mask.sum() < 1.35 * painted_pixels.sum()
            else:
                assert isinstance(mask, tuple) and len(mask) == (2 if label == 3 else 1)
                points = np.concatenate(mask)
                assert np.allclose(points.min(axis=0), box[:2], atol=1e-3)


def test_areas_are_those_of_the_outlines(painted: Painted) -> None:
    dataset = painted.open()
    for index in range(len(dataset)):
        found = dataset.instances(index)
        annotations = [a for a in painted.content["annotations"] if a["image_id"] == 100 + index]
        expected = {CATEGORY_IDS.index(a["category_id"]): a["area"] for a in annotations}
        for label, area in zip(found.labels.tolist(), found.areas().tolist(), strict=True):
            assert area == pytest.approx(expected[label], rel=0.15)


@pytest.mark.parametrize("form", ["text", "list"])
def test_run_lengths_in_both_forms(tmp_path: Path, form: str) -> None:
    generator = np.random.default_rng(0)
    for number in range(20):
        bitmap = (generator.random((19, 23)) < generator.random()).astype(np.uint8)
        bitmap[5:9, 6:12] = 1
        runs = coco_mask.encode(np.asfortranarray(bitmap))
        counts: Any = runs["counts"].decode()
        if form == "list":
            flat = bitmap.ravel(order="F")
            edges = np.flatnonzero(np.diff(flat)) + 1
            counts = np.diff([0, *edges, flat.size]).tolist()
            counts = [0, *counts] if flat[0] else counts
        content = one_object({"size": [19, 23], "counts": counts}, size=(19, 23))
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(content))
        dataset = DetectionDataset("x", parse_coco(file, tmp_path), "", dict, image_size=32)
        rings, even_odd = dataset.instances(0).rings()[0], dataset.instances(0).even_odd[0]
        assert even_odd
        # Every pixel's centre is inside by the even-odd rule exactly where the bitmap is set.
        rows, columns = np.mgrid[:19, :23] + 0.5
        crossings = np.zeros((19, 23), np.int64)
        for ring in rings:
            for (x1, y1), (x2, y2) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
                if y1 != y2:
                    spans = (np.minimum(y1, y2) <= rows) & (rows < np.maximum(y1, y2))
                    crossings += spans & (x1 + (rows - y1) * (x2 - x1) / (y2 - y1) > columns)
        assert ((crossings % 2).astype(np.uint8) == bitmap).mean() > 0.97


def one_object(segmentation: Any, size: tuple[int, int] = (20, 30)) -> dict[str, Any]:
    return {
        "images": [{"id": 1, "file_name": "a.png", "height": size[0], "width": size[1]}],
        "categories": [{"id": 9, "name": "x"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 9,
                "bbox": [1, 2, 10, 8],
                "iscrowd": 0,
                "segmentation": segmentation,
            }
        ],
    }


def test_crowds_are_for_the_evaluator_alone(painted: Painted) -> None:
    before = len(painted.open().table.labels)
    crowd = dict(painted.content["annotations"][0], id=900, iscrowd=1)
    painted.content["annotations"].append(crowd)
    painted.write()
    dataset = painted.open()
    assert len(dataset.table.labels) == before
    truth = dataset.ground_truth().load()
    assert sum(annotation["iscrowd"] for annotation in truth["annotations"]) == 1


def test_missing_ids_and_areas_are_filled_in(painted: Painted) -> None:
    for annotation in painted.content["annotations"]:
        del annotation["area"], annotation["iscrowd"]
        annotation["id"] -= 1  # the evaluator can't match annotation 0
    painted.write()
    annotations = coco_truth(painted.file)["annotations"]
    assert [item["id"] for item in annotations] == list(range(1, len(annotations) + 1))
    assert all(item["area"] > 0 and item["iscrowd"] == 0 for item in annotations)


def test_boxes_without_area_are_left_out_and_others_moved_inside(tmp_path: Path) -> None:
    content = one_object([[-5, 2, 40, 2, 40, 9, -5, 9]])
    content["annotations"][0]["bbox"] = [-5, 2, 45, 7]
    content["annotations"].append(dict(content["annotations"][0], id=2, bbox=[3, 3, 0, 5]))
    file = tmp_path / "a.json"
    file.write_text(json.dumps(content))
    table = parse_coco(file, tmp_path)
    assert table.boxes.tolist() == [[0, 2, 30, 9]]
    assert table.points.min() == 0 and table.points[:, 0].max() == 30


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"bbox": [1, 2, 3]}, "annotation id 1: expected 'bbox' [x, y, width, height]"),
        ({"bbox": [1, 2, "3", 4]}, "annotation id 1: expected 'bbox'"),
        ({"category_id": 8}, "annotation id 1: 'category_id' 8 is not among the categories (9)"),
        ({"image_id": 5}, "annotation id 1: 'image_id' 5 is not among the images"),
        ({"segmentation": [[1, 2, 3]]}, "annotation id 1: expected each polygon"),
        ({"segmentation": [[1, 2, 3, "4"]]}, "annotation id 1: expected each polygon"),
        ({"segmentation": "x"}, "annotation id 1: expected 'segmentation' as polygons"),
        ({"segmentation": {"size": [2, 2], "counts": "04"}}, "annotation id 1: 'segmentation' has"),
        ({"segmentation": {"size": [20, 30], "counts": [1, 2]}}, "annotation id 1: the run"),
        ({"segmentation": {"size": [20, 30], "counts": "~"}}, "annotation id 1: the text"),
    ],
)
def test_problems_name_file_and_annotation(
    tmp_path: Path, change: dict[str, Any], expected: str
) -> None:
    content = one_object([[1, 2, 3, 4, 5, 1]])
    content["annotations"][0].update(change)
    file = tmp_path / "labels.json"
    file.write_text(json.dumps(content))
    with pytest.raises(UserError) as caught:
        parse_coco(file, tmp_path)
    assert str(caught.value).startswith(f"{file}: {expected}")


def test_missing_folder_and_missing_pictures_are_said_at_once(painted: Painted) -> None:
    with pytest.raises(UserError, match="no such folder of images"):
        open_coco(painted.file, painted.root / "pictures")
    (painted.images / "00.png").unlink()
    with pytest.raises(UserError, match=r"00\.png: no such picture"):
        painted.open()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    place=st.sampled_from(["images", "categories", "annotations"]),
    key=st.sampled_from(
        [
            "id",
            "file_name",
            "height",
            "width",
            "name",
            "image_id",
            "category_id",
            "bbox",
            "iscrowd",
            "segmentation",
        ]
    ),
    value=JSON,
)
def test_any_value_anywhere_loads_or_is_a_user_error(
    tmp_path: Path, place: str, key: str, value: Any
) -> None:
    content = one_object([[1, 2, 3, 4, 5, 1]])
    content[place][0][key] = value
    check_loads(tmp_path, json.dumps(content))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(counts=st.text(max_size=12) | st.lists(st.integers(-5, 700), max_size=5))
def test_any_run_lengths_load_or_are_a_user_error(tmp_path: Path, counts: str | list[int]) -> None:
    check_loads(tmp_path, json.dumps(one_object({"size": [20, 30], "counts": counts})))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(max_size=40) | JSON.map(json.dumps))
def test_any_text_loads_or_is_a_user_error(tmp_path: Path, text: str) -> None:
    check_loads(tmp_path, text)


def check_loads(folder: Path, text: str) -> None:
    file = folder / "fuzz.json"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        table = parse_coco(file, folder)
    except UserError as error:
        assert str(file) in str(error)
    else:
        for index in range(len(table)):
            table.instances(index).areas()


@pytest.mark.coco
def test_coco_mini_opens_with_its_crowds(shared: Path) -> None:
    coco = shared / "data" / "coco-mini"
    file = coco / "annotations" / "instances_val2017.json"
    table, fingerprint = open_coco(file, coco / "images" / "val2017")
    dataset = DetectionDataset("mini", table, fingerprint, lambda: coco_truth(file), image_size=640)
    truth = dataset.ground_truth().load()
    crowds = sum(annotation["iscrowd"] for annotation in truth["annotations"])
    assert (len(dataset), crowds) == (206, 21)
    assert len(table.labels) == len(truth["annotations"]) - crowds == 1765
    assert len(dataset.names) == 80 and dataset.ground_truth().category_ids[-1] == 90
    official = {a["id"]: a["area"] for a in truth["annotations"] if not a["iscrowd"]}
    ours = np.concatenate([dataset.instances(k).areas() for k in range(len(dataset))])
    assert (
        np.isclose(np.sort(ours), np.sort(list(official.values())), rtol=0.02, atol=2).mean() > 0.9
    )
