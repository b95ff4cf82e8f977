"""Data sets written in other formats, and divided."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.data.data_sets import Painted
from yolor_gp.commands.main import main
from yolor_gp.config.data_config import load_data_config
from yolor_gp.data.convert.divide import alike_groups, divided, picture_hash
from yolor_gp.data.datasets import open_dataset
from yolor_gp.data.detection_dataset import DetectionDataset
from yolor_gp.data.labels.polygons import paint
from yolor_gp.errors import UserError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A data YAML of painted pictures: bars, triangles, rings (with a hole), pairs of blocks."""
    painted = Painted(tmp_path / "painted")
    data = tmp_path / "painted.yaml"
    data.write_text(
        f"path: {painted.root}\ntrain: images\nannotations: {{train: {painted.file.name}}}\n"
    )
    return data


def opened(data: Path, split: str = "train") -> DetectionDataset:
    return open_dataset(load_data_config(data), split, image_size=64)  # type: ignore[arg-type]


def convert(source: Path, out: Path, form: str, *more: str) -> int:
    return main(["convert-dataset", str(source), "--to", form, "--out", str(out), *more])


def bitmaps(dataset: DetectionDataset, index: int) -> list[np.ndarray]:
    instances, drawn = dataset.instances(index), []
    for rings, even_odd in zip(instances.rings(), instances.even_odd.tolist(), strict=True):
        canvas = np.zeros(dataset.original_size(index), np.uint8)
        paint(canvas, rings, 1, even_odd=even_odd)
        drawn.append(canvas)
    return drawn


@pytest.mark.parametrize("form", ["coco", "yolo", "labelme", "voc"])
def test_there_and_back(
    source: Path, tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(source, tmp_path / form, form) == 0
    said = capsys.readouterr().out
    before, after = opened(source), opened(tmp_path / form / "data.yaml")
    assert len(after) == len(before)
    by_name = {Path(after.image_path(k)).name: k for k in range(len(after))}
    worst = 1.0
    for index in range(len(before)):
        other = by_name[Path(before.image_path(index)).name]
        own, found = before.instances(index), after.instances(other)
        assert [before.names[k] for k in own.labels] == [after.names[k] for k in found.labels]
        # Of outlines the box is theirs, in VOC whole pixels.
        most = 0.02 if form == "coco" else 1.0
        assert np.abs(own.boxes - found.boxes).max(initial=0) <= most
        if form == "voc":
            assert not after.has_masks
            continue
        pairs = zip(bitmaps(before, index), bitmaps(after, other), strict=True)
        for was, now in pairs:
            worst = min(worst, (was & now).sum() / max((was | now).sum(), 1))
    if form == "coco":
        assert worst > 0.97 and "not kept" not in said
    elif form == "voc":
        assert "not kept as they were: outlines" in said
    else:
        assert "holes (" in said
    if form == "yolo":
        assert "parts joined by a line" in said


def test_a_folder_of_labelme_and_all_of_its_shapes(tmp_path: Path) -> None:
    folder = tmp_path / "labelled"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), np.zeros((60, 80, 3), np.uint8))
    square = [[0, 0], [9, 0], [9, 9], [0, 9]]
    bitmap = np.zeros((10, 12), np.uint8)
    bitmap[2:8, 3:9] = 255
    import base64

    mask = base64.b64encode(cv2.imencode(".png", bitmap)[1].tobytes()).decode()
    shapes = [
        {"label": "b", "shape_type": "polygon", "points": square, "group_id": 1},
        {"label": "b", "shape_type": "polygon", "points": [[20, 20], [30, 20], [25, 30]],
         "group_id": 1},
        {"label": "a", "shape_type": "rectangle", "points": [[40, 30], [10, 20]]},
        {"label": "a", "shape_type": "circle", "points": [[50, 30], [60, 30]]},
        {"label": "a", "shape_type": "mask", "points": [[30, 40], [42, 50]], "mask": mask},
        {"label": "a", "shape_type": "point", "points": [[1, 1]]},
    ]  # fmt: skip
    content = {"shapes": shapes, "imagePath": "a.png", "imageHeight": 60, "imageWidth": 80}
    (folder / "a.json").write_text(json.dumps(content))
    assert convert(folder, tmp_path / "out", "coco") == 0
    dataset = opened(tmp_path / "out/data.yaml")
    instances = dataset.instances(0)
    assert dataset.names == ("a", "b")
    assert instances.labels.tolist() == [1, 0, 0, 0]
    assert instances.object_rings.tolist() == [2, 1, 1, 1]
    assert instances.boxes.tolist()[:3] == [[0, 0, 30, 30], [10, 20, 40, 30], [40, 20, 60, 40]]
    areas = instances.areas()
    assert areas[0] == pytest.approx(81 + 50) and areas[2] == pytest.approx(np.pi * 100, rel=0.01)
    assert instances.outline_boxes()[3] == pytest.approx([33, 42, 39, 48], abs=0.3)


VOC = """<annotation><filename>a.png</filename>
<size><width>80</width><height>60</height><depth>3</depth></size>
<object><name>dog</name><difficult>0</difficult>
<bndbox><xmin>11</xmin><ymin>21</ymin><xmax>40</xmax><ymax>30</ymax></bndbox></object>
<object><name>cat</name><difficult>1</difficult>
<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>3</ymax></bndbox></object>
</annotation>"""


def test_pascal_voc_trains_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "JPEGImages").mkdir()
    (tmp_path / "Annotations/a.xml").write_text(VOC)
    cv2.imwrite(str(tmp_path / "JPEGImages/a.png"), np.zeros((60, 80, 3), np.uint8))
    data = tmp_path / "data.yaml"
    data.write_text("format: voc\ntrain: .\nval: .\n")
    dataset = opened(data)
    assert dataset.names == ("dog",) and dataset.instances(0).boxes.tolist() == [[10, 20, 40, 30]]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("<annotation>", "<!DOCTYPE a [<!ENTITY b 'c'>]><annotation>", "defines a document type"),
        ("</annotation>", "", r"a.xml:\d+: no XML"),
        ("<xmin>11</xmin>", "<xmin>x</xmin>", "object 0: expected <name> and <bndbox>"),
        ("<xmax>40", "<xmax>4", "object 0: expected"),
        ("a.png", "b.png", "its picture 'b.png' is not beside it"),
    ],
)
def test_wrong_xml_is_told(tmp_path: Path, old: str, new: str, expected: str) -> None:
    (tmp_path / "a.xml").write_text(VOC.replace(old, new))
    if old != "a.png":
        cv2.imwrite(str(tmp_path / "a.png"), np.zeros((60, 80, 3), np.uint8))
    data = tmp_path / "data.yaml"
    data.write_text("format: voc\ntrain: .\nval: .\nnames: [dog]\n")
    with pytest.raises(UserError, match=expected):
        opened(data)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ({"label": 3}, "shape 0: expected an object with a 'label'"),
        ({"label": "a", "points": [[1, 1]]}, "a polygon needs 3 points"),
        ({"label": "a", "points": "none"}, "a polygon needs 3 points"),
        ({"label": "a", "points": [[1, 1]] * 3, "shape_type": "blob"}, "unknown shape_type 'blob'"),
        ({"label": "a", "points": [[1, 1]] * 2, "shape_type": "mask"}, "its 'mask' is no picture"),
        ({"label": "z", "points": [[1, 1]] * 3}, "class 'z' is not one of a"),
    ],
)
def test_wrong_labelme_is_told(tmp_path: Path, shape: dict[str, object], expected: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"shapes": [shape], "imagePath": "a.png"}))
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((60, 80, 3), np.uint8))
    (tmp_path / "data.yaml").write_text("format: labelme\ntrain: .\nval: .\nnames: [a]\n")
    with pytest.raises(UserError, match=expected):
        opened(tmp_path / "data.yaml")


def test_a_division_keeps_classes_in_proportion_and_alike_together(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pictures = [
        cv2.resize(random.integers(0, 255, (12, 12, 3), np.uint8), (96, 96)) for _ in range(40)
    ]
    paths = []
    for number, picture in enumerate(pictures):
        for variant in range(2 if number < 10 else 1):  # ten have a near duplicate
            file = tmp_path / f"{number}-{variant}.jpg"
            changed = cv2.resize(picture, (80, 80)) if variant else picture
            cv2.imwrite(str(file), changed)
            paths.append(file)
    hashes = np.stack([picture_hash(str(file)) for file in paths])
    groups = alike_groups(hashes)
    assert len(np.unique(groups)) == 40
    counts = random.integers(0, 3, (50, 3))
    counts[:, 2] = 0
    counts[[3, 20, 30, 40, 45], 2] = 1  # rare: on five images
    part = divided(counts, groups, [0.6, 0.2, 0.2], seed=1)
    assert all(len(set(part[groups == group])) == 1 for group in groups)
    images = np.bincount(part, minlength=3)
    assert images == pytest.approx([30, 10, 10], abs=3)
    for label in range(3):
        share = np.bincount(part, counts[:, label], 3) / counts[:, label].sum()
        assert share == pytest.approx([0.6, 0.2, 0.2], abs=0.09)


def test_split_and_folds(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(source, tmp_path / "split", "yolo", "--split", "50/25/25") == 0
    parts = [opened(tmp_path / "split/data.yaml", part) for part in ("train", "val", "test")]
    names = [Path(p.image_path(k)).name for p in parts for k in range(len(p))]
    assert len(names) == len(set(names)) and all(len(p) for p in parts)
    assert convert(source, tmp_path / "folds", "coco", "--folds", "3") == 0
    seen: list[str] = []
    for fold in range(3):
        data = tmp_path / f"folds/fold{fold}.yaml"
        train, val = opened(data), opened(data, "val")
        held = {Path(val.image_path(k)).name for k in range(len(val))}
        assert held.isdisjoint(Path(train.image_path(k)).name for k in range(len(train)))
        seen += held
    assert sorted(seen) == sorted(names)
    assert convert(source, tmp_path / "folds", "coco") == 2
    assert "is there already" in capsys.readouterr().err
    assert convert(source, tmp_path / "x", "voc", "--folds", "2") == 2
    assert convert(source, tmp_path / "x", "coco", "--split", "80") == 2
    assert "such as 80/20" in capsys.readouterr().err
