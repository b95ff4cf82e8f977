"""YOLO text labels: boxes, polygons, and every bad line by file and number."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from yolor_gp.config.data_config import load_data_config
from yolor_gp.data.datasets import open_dataset
from yolor_gp.data.labels.yolo_txt import find_images, label_path, open_yolo, parse_labels
from yolor_gp.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures of 100 x 50: a box and a polygon, an empty label file, none at all."""
    for name in ("a", "b", "c"):
        file = tmp_path / "images" / "train" / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), np.zeros((50, 100, 3), np.uint8))
    labels = tmp_path / "labels" / "train"
    labels.mkdir(parents=True)
    (labels / "a.txt").write_text("1 0.5 0.5 0.2 0.4\n\n0 0.1 0.1 0.3 0.1 0.3 0.5 0.1 0.5\n")
    (labels / "b.txt").write_text("")
    (tmp_path / "data.yaml").write_text(
        "path: .\ntrain: images/train\nval: list.txt\nnames: [cat, dog]\n"
    )
    (tmp_path / "list.txt").write_text("images/train/c.png\n./images/train/a.png\n")
    return tmp_path


def test_boxes_and_polygons_in_pixels(folder: Path) -> None:
    dataset = open_dataset(load_data_config(folder / "data.yaml"), "train", image_size=64)
    assert len(dataset) == 3 and dataset.names == ("cat", "dog")
    sample = dataset.load(0)
    assert np.allclose(sample.boxes, [[40, 15, 60, 35], [10, 5, 30, 25]])
    assert sample.labels.tolist() == [1, 0]
    # Beside polygons, a box stands for its object's outline.
    assert np.allclose(sample.masks[0][0], [[40, 15], [60, 15], [60, 35], [40, 35]])
    assert np.allclose(sample.masks[1][0], [[10, 5], [30, 5], [30, 25], [10, 25]])
    assert len(dataset.load(1).labels) == len(dataset.load(2).labels) == 0


def test_list_files_are_relative_to_themselves(folder: Path) -> None:
    dataset = open_dataset(load_data_config(folder / "data.yaml"), "val", image_size=64)
    assert [Path(dataset.image_path(k)).name for k in range(2)] == ["a.png", "c.png"]


def test_ground_truth_is_a_coco_dictionary(folder: Path) -> None:
    dataset = open_dataset(load_data_config(folder / "data.yaml"), "train", image_size=64)
    truth = dataset.ground_truth().load()
    assert [image["id"] for image in truth["images"]] == dataset.image_ids.tolist() == [1, 2, 3]
    assert [item["id"] for item in truth["annotations"]] == [1, 2]  # 0 would never be matched
    assert [item["area"] for item in truth["annotations"]] == pytest.approx([400, 400])
    oracle = COCO()
    oracle.dataset = truth
    oracle.createIndex()
    runs = oracle.annToRLE(oracle.loadAnns(2)[0])
    assert coco_mask.area(runs) == pytest.approx(400, rel=0.05)


def test_boxes_alone_have_no_masks(folder: Path) -> None:
    (folder / "labels/train/a.txt").write_text("1 0.5 0.5 0.2 0.4\n")
    dataset = open_dataset(load_data_config(folder / "data.yaml"), "train", image_size=64)
    assert not dataset.has_masks and dataset.load(0).masks == ()
    assert "segmentation" not in dataset.ground_truth().load()["annotations"][0]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1 0.5 0.5 0.2", "expected 'class cx cy w h' or"),
        ("1 0.5 0.5 0.2 0.1 0.3", "expected 'class cx cy w h' or"),
        ("cat 0.5 0.5 0.2 0.1", "expected numbers, found 'cat'"),
        ("2 0.5 0.5 0.2 0.1", "class 2 is not one of 0 to 1"),
        ("0.5 0.5 0.5 0.2 0.1", "class 0.5 is not one of"),
        ("-1 0.5 0.5 0.2 0.1", "class -1 is not one of"),
        ("0 50 20 10 10", "expected coordinates relative to the picture, 0 to 1, found 50"),
        ("0 0.5 0.5 0 0.1", "expected positive width and height"),
        ("0 nan 0.5 0.1 0.1", "expected finite numbers"),
        ("0 0.1 0.1 0.2 0.1 0.2 7", "expected coordinates relative"),
    ],
)
def test_bad_lines_are_named(folder: Path, line: str, expected: str) -> None:
    file = folder / "labels/train/a.txt"
    file.write_text(f"0 0.5 0.5 0.2 0.1\n{line}\n{line} \n")
    with pytest.raises(UserError) as caught:
        open_yolo([folder / "images/train"], ["cat", "dog"])
    first, second = caught.value.problems
    assert first.startswith(f"{file}:2: {expected}") and second.startswith(f"{file}:3: ")


def test_unreadable_pictures_and_lists_are_named(folder: Path) -> None:
    (folder / "images/train/b.png").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"b\.png: not a picture"):
        open_yolo([folder / "images/train"], ["cat", "dog"])
    (folder / "list.txt").write_text("\nimages/train/z.png\n")
    with pytest.raises(UserError, match=r"list\.txt:2: no such picture: 'images/train/z\.png'"):
        find_images([folder / "list.txt"])
    with pytest.raises(UserError, match="no such folder, list file or picture"):
        find_images([folder / "nowhere"])
    with pytest.raises(UserError, match="no pictures found"):
        find_images([folder / "labels"])


def test_edited_labels_are_noticed(folder: Path) -> None:
    first, before = open_yolo([folder / "images/train"], ["cat", "dog"])
    (folder / "labels/train/b.txt").write_text("0 0.5 0.5 0.2 0.1\n")
    second, after = open_yolo([folder / "images/train"], ["cat", "dog"])
    assert before != after and len(second.labels) == len(first.labels) + 1
    _, renamed = open_yolo([folder / "images/train"], ["cat", "fox"])
    assert renamed != after


def test_labels_lie_where_the_last_images_folder_says() -> None:
    assert label_path(Path("/images/x/images/train/a.jpg")) == Path("/images/x/labels/train/a.txt")
    assert label_path(Path("/data/a.jpg")) == Path("/data/a.txt")


WORD = st.sampled_from(["0", "1", "0.5", "1e-3", "-0.0", "1e999", "nan", "x", "0x1", "٣", "1_0"])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(WORD, max_size=9).map(" ".join), max_size=4).map("\n".join) | st.text())
def test_any_text_parses_or_has_its_lines_named(text: str) -> None:
    objects, problems = parse_labels(text, "f.txt", 3)
    assert all(line.startswith("f.txt:") for line in problems)
    for label, box, outline in objects:
        assert 0 <= label < 3 and len(outline) % 2 == 0
        assert 0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1
