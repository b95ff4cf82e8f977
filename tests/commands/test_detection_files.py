from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pycocotools.coco import COCO

from yolor_gp.commands.detection_files import DetectionFiles
from yolor_gp.detection.predict import labels_of
from yolor_gp.errors import UserError
from yolor_gp.media.sources import open_source
from yolor_gp.results import Predict, Predictions
from yolor_gp.structures.detections import BoxMasks, Detections

NAMES = ("cat", "dog")


def square(images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
    """Finds one dog of 20 x 10 pixels, its mask a trapezium, in every image."""
    window = np.ones((20, 10), np.bool_)
    window[0, 5:] = False
    window[-1, 5:] = False
    return [
        Detections(
            image.shape[:2],
            torch.tensor([[10.0, 20, 30, 30]]),
            torch.tensor([0.75]),
            torch.tensor([1]),
            BoxMasks(image.shape[:2], np.array([[10, 20, 30, 30]]), (window,)),
        )
        for image in images
    ]


def results(source: Path | str, predict: Predict = square, batch: int = 1) -> Predictions:
    return Predictions(open_source(str(source)), predict, NAMES, batch)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a.png", "b.jpg"):
        cv2.imwrite(str(folder / name), np.full((48, 64, 3), 90, np.uint8))
    return folder


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 12.5, (64, 48))
    for _ in range(9):
        writer.write(np.full((48, 64, 3), 90, np.uint8))
    writer.release()
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def frames_in(path: Path) -> tuple[int, float]:
    capture = cv2.VideoCapture(str(path))
    count = 0
    while capture.read()[0]:
        count += 1
    return count, capture.get(cv2.CAP_PROP_FPS)


def test_images_are_annotated(images: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    DetectionFiles(out).write(results(images, batch=3), NAMES)
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "b.jpg"]
    assert np.ptp(cv2.imread(str(out / "a.png"))) > 50  # type: ignore[arg-type]
    printed = capsys.readouterr().out
    assert "1/2" in printed and "a.png 64x48: 1 dog" in printed
    assert printed.strip().splitlines()[-1] == f"results in {out}"


def test_a_video_stays_a_video_of_the_same_rate(video: Path, out: Path) -> None:
    DetectionFiles(out).write(results(video, batch=4), NAMES)
    assert frames_in(out / "film.mp4") == (9, 12.5)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
def test_json_is_a_coco_file(images: Path, video: Path, out: Path) -> None:
    file = out / "found.json"
    listing = images.parent / "all.txt"
    listing.write_text(f"images/a.png\n{video}\n")
    rows = out / "rows.json"
    files = DetectionFiles(out, style=None, dataset_file=file, results_file=rows)
    files.write(results(listing), NAMES)
    coco = COCO(str(file))
    assert len(coco.imgs) == len(coco.anns) == 10
    assert coco.imgs[1]["file_name"].endswith("a.png") and "frame" not in coco.imgs[1]
    assert coco.imgs[10]["frame"] == 8
    annotation = coco.anns[1]
    assert annotation["bbox"] == [10, 20, 20, 10] and annotation["score"] == 0.75
    assert coco.cats[annotation["category_id"]]["name"] == "dog"
    assert coco.annToMask(annotation).sum() == annotation["area"] == 190
    assert not list(out.glob("*.png"))
    found = coco.loadRes(str(rows))
    assert [(row["image_id"], row["category_id"]) for row in found.anns.values()] == [
        (image, 2) for image in range(1, 11)
    ]
    assert json.loads(rows.read_text())[9]["frame"] == 8
    assert found.annToMask(found.anns[1]).sum() == 190


def test_label_files_can_be_trained_on(images: Path, out: Path) -> None:
    DetectionFiles(out, txt=True).write(results(images), NAMES)
    words = (out / "labels" / "a.txt").read_text().split()
    assert words[0] == "1" and len(words) % 2 == 1
    points = np.array(words[1:], float).reshape(-1, 2) * [64, 48]
    assert np.abs(points.min(axis=0) - [10.5, 20.5]).max() < 0.01
    assert np.abs(points.max(axis=0) - [29.5, 29.5]).max() < 0.01


def test_labels_of_boxes_and_scores(images: Path, video: Path, out: Path) -> None:
    def boxes(images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        return [
            Detections(found.image_size, found.boxes, found.scores, found.labels)
            for found in square(images)
        ]

    files = DetectionFiles(out, style=None, txt=True, txt_scores=True)
    files.write(results(video, boxes), NAMES)
    written = sorted((out / "labels").iterdir())
    assert [file.name for file in written][-1] == "film_000008.txt" and len(written) == 9
    assert written[0].read_text() == "1 0.312500 0.520833 0.312500 0.208333 0.75000\n"


def test_an_interrupt_leaves_a_playable_video_and_valid_json(video: Path, out: Path) -> None:
    calls = 0

    def interrupted(images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise KeyboardInterrupt
        return square(images)

    files = DetectionFiles(out, dataset_file=out / "found.json")
    with pytest.raises(KeyboardInterrupt):
        files.write(results(video, interrupted), NAMES)
    assert frames_in(out / "film.mp4")[0] == 4
    assert len(json.loads((out / "found.json").read_text())["images"]) == 4


def test_unreadable_images_are_counted(
    images: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "c.png").write_text("not an image")
    DetectionFiles(out).write(results(images), NAMES)
    printed = capsys.readouterr()
    assert "2 images, 1 unreadable" in printed.out
    assert "skipped: " in printed.err and "c.png: not an image" in printed.err


def test_equal_names_do_not_overwrite_each_other(images: Path, out: Path) -> None:
    deeper = images / "deeper"
    deeper.mkdir()
    (deeper / "a.png").write_bytes((images / "a.png").read_bytes())
    DetectionFiles(out, txt=True).write(results(f"{images}/**/*"), NAMES)
    assert sorted(path.name for path in out.glob("*.*")) == ["a.png", "a_2.png", "b.jpg"]
    assert len(list((out / "labels").iterdir())) == 3


def test_a_json_file_that_cannot_be_written(images: Path, out: Path) -> None:
    files = DetectionFiles(out, results_file=out / "none" / "found.json")
    with pytest.raises(UserError, match=r"found\.json: cannot be written"):
        files.write(results(images), NAMES)


def test_classes_by_name_and_number() -> None:
    assert labels_of(None, NAMES) is None
    assert labels_of(["dog", "0"], NAMES) == (1, 0)
    with pytest.raises(UserError) as raised:
        labels_of(["dgo", "7"], NAMES)
    assert "did you mean 'dog'" in raised.value.problems[0]
    assert "classes 0 to 1" in raised.value.problems[1]


def test_crops_tables_and_drawing(tmp_path: Path) -> None:
    images, out = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    out.mkdir()
    picture = np.zeros((60, 80, 3), np.uint8)
    cv2.imwrite(str(images / "a.png"), picture)
    table = tmp_path / "found.csv"
    found = list(results(images))
    count = len(found[0])
    assert count > 0
    DetectionFiles(out, table_file=table, crops=True).write(results(images), NAMES)
    rows = table.read_text().splitlines()
    assert rows[0] == "path,frame,name,label,score,left,top,right,bottom,id"
    assert len(rows) == count + 1
    assert rows[1].split(",")[2] == found[0].names[0]
    crops = list(out.glob("crops/*/*.png"))
    assert len(crops) == count
    assert {path.parent.name for path in crops} == set(found[0].names)
    plain = found[0].plot(names=False, scores=False, masks=False, line_width=1)
    assert not np.array_equal(plain, found[0].plot())
    assert plain.any()


def test_every_third_frame(video: Path) -> None:
    found = Predictions(open_source(str(video)), square, NAMES, 2, 3)
    assert found.total is None
    assert [result.frame for result in found] == [0, 3, 6]
