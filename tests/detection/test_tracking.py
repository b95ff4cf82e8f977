"""Identities: kept while objects move, cross and fade; told in every file."""

from __future__ import annotations

import csv
import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.tiny_network import TINY
from yolor_gp.commands.detect import main
from yolor_gp.detection.tracking import TRACKERS, Tracking
from yolor_gp.detection.writers.coco_json import ResultsJson
from yolor_gp.detection.writers.csv_table import CsvTable
from yolor_gp.detection.writers.mot_txt import MotTxt
from yolor_gp.errors import UserError
from yolor_gp.media.sources import Frame
from yolor_gp.media.video import VideoInfo
from yolor_gp.results import Result
from yolor_gp.structures.detections import Detections
from yolor_gp.visualize.draw import draw_detections

ROOT = Path(__file__).resolve().parents[2]
SIZE = (240, 320)
PICTURE = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
VIDEO = VideoInfo(fps=25.0, frame_count=None)


def frame(index: int, path: str = "a.mp4", video: VideoInfo | None = VIDEO) -> Frame:
    seconds = None if video is None else index / video.fps
    return Frame(PICTURE, path, index, seconds, video)


def found(*boxes: tuple[float, float], score: float = 0.9) -> Detections:
    """Objects of 40x60 pixels at left, top."""
    corners = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 2)
    sides = torch.cat((corners, corners + torch.tensor([40.0, 60.0])), dim=1)
    count = len(corners)
    scores = torch.linspace(score, score - 0.05, count) if count else torch.zeros(0)
    return Detections(SIZE, sides, scores, torch.zeros(count, dtype=torch.int64))


def followed(ids: list[int]) -> Detections:
    given = found(*[(20.0 * one, 10.0) for one in ids])
    return Detections(SIZE, given.boxes, given.scores, given.labels, None, torch.tensor(ids))


@pytest.fixture
def trackers() -> None:
    pytest.importorskip("trackers", reason="trackers is not installed (an extra)")


@pytest.mark.usefixtures("trackers")
@pytest.mark.parametrize("name", list(TRACKERS))
def test_objects_keep_their_ids(name: str) -> None:
    tracking = Tracking(name, 0.5)
    seen: dict[int, list[float]] = {}
    for index in range(20):
        there, back = (10.0 + 8 * index, 20.0), (270.0 - 8 * index, 130.0)
        pair = (there, back) if index % 3 else (back, there)
        for one, box in zip(*_ids_and_boxes(tracking(frame(index), found(*pair))), strict=True):
            seen.setdefault(one, []).append(box[1])
    assert len(seen) == 2 and min(seen) == 1
    assert all(len(set(tops)) == 1 and len(tops) >= 15 for tops in seen.values())


def _ids_and_boxes(detections: Detections) -> tuple[list[int], list[list[float]]]:
    assert detections.ids is not None
    return detections.ids.tolist(), detections.boxes.tolist()


@pytest.mark.usefixtures("trackers")
def test_doubtful_ones_go_on_but_begin_nothing() -> None:
    tracking = Tracking("bytetrack", 0.5)
    scores = [0.9, 0.9, 0.9, 0.2, 0.2, 0.9]
    counts = [len(tracking(frame(k), found((50.0, 50.0), score=s))) for k, s in enumerate(scores)]
    assert counts[2:] == [1, 1, 1, 1]
    faint = Tracking("bytetrack", 0.5)
    assert not any(len(faint(frame(k), found((50.0, 50.0), score=0.3))) for k in range(6))


@pytest.mark.usefixtures("trackers")
def test_every_sequence_begins_anew_and_images_of_a_folder_are_one() -> None:
    tracking = Tracking("bytetrack", 0.5)
    for path in ("a.mp4", "b.mp4"):
        for index in range(4):
            ids = tracking(frame(index, path), found((50.0, 50.0))).ids
        assert ids is not None and ids.tolist() == [1]
    for index in range(4):
        images = frame(index, f"folder/{index}.jpg", None)
        ids = tracking(images, found((200.0, 50.0))).ids
    assert ids is not None and ids.tolist() == [1]
    assert len(tracking(frame(9), found())) == 0


@pytest.mark.usefixtures("trackers")
def test_detect_tracks_a_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 64))
    for _ in range(4):
        writer.write(PICTURE[:64, :64])
    writer.release()
    words = ["--weights", TINY, "--source", str(clip), "--project", str(tmp_path / "runs")]
    flags = ["--track", "bytetrack", "--save-mot", "--confidence", "0", "--max-detections", "3"]
    assert main([*words, *flags, "--img", "64", "--save-csv", str(tmp_path / "a.csv")]) == 0
    capsys.readouterr()
    lines = (tmp_path / "runs/exp/mot/clip.txt").read_text().splitlines()
    assert {line.split(",")[0] for line in lines} <= {"1", "2", "3", "4"} and len(lines) >= 4
    assert len((tmp_path / "a.csv").read_text().splitlines()) == len(lines) + 1


def test_ids_in_every_form(tmp_path: Path) -> None:
    detections = followed([3, 7])
    with (
        ResultsJson(tmp_path / "a.json", ["cat"]) as results,
        CsvTable(tmp_path / "a.csv", ("cat",)) as table,
        MotTxt(tmp_path / "mot") as mot,
    ):
        for file in (results, table, mot):
            file.write("a.mp4", detections, 0)
            file.write("a.mp4", detections.select(torch.tensor([1])), 4)
            file.write("folder/1.jpg", detections, None)
            file.write("folder/2.jpg", detections, None)
    assert [row["track_id"] for row in json.loads((tmp_path / "a.json").read_text())[:3]] == [
        3,
        7,
        7,
    ]
    table_rows = csv.DictReader((tmp_path / "a.csv").read_text().splitlines())
    assert [row["id"] for row in table_rows][:3] == ["3", "7", "7"]
    rows = (tmp_path / "mot/a.txt").read_text().splitlines()
    assert rows[0] == "1,3,60.00,10.00,40.00,60.00,0.90000,-1,-1,-1"
    assert rows[2].startswith("5,7,140.00,")
    assert [row[:4] for row in (tmp_path / "mot/folder.txt").read_text().splitlines()] == [
        "1,3,", "1,7,", "2,3,", "2,7,",
    ]  # fmt: skip
    result = Result(frame(0), detections, ("cat",))
    assert result.ids is not None and result.ids.tolist() == [3, 7]
    assert [one["track_id"] for one in result.to_dict()["objects"]] == [3, 7]
    assert Result(frame(0), found((1.0, 1.0)), ("cat",)).ids is None


def test_identities_are_drawn_each_in_its_colour() -> None:
    one, other = (draw_detections(PICTURE, followed([k]), ["cat"]) for k in (1, 2))
    plain = draw_detections(PICTURE, found((20.0, 10.0)), ["cat"])
    assert (one != plain).any()
    assert tuple(one[40, 20]) != tuple(other[40, 40])


def test_an_unknown_tracker_and_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="did you mean 'bytetrack'"):
        Tracking("bytetrak", 0.5)
    monkeypatch.setitem(sys.modules, "trackers", None)
    with pytest.raises(UserError, match=r"pip install 'yolor_gp\[track\]'"):
        Tracking("bytetrack", 0.5)


@pytest.mark.usefixtures("trackers")
def test_the_example_counts_crossings_and_a_zone() -> None:
    example = runpy.run_path(str(ROOT / "examples" / "count_objects.py"))
    counter = example["Counter"]([0, 120, 320, 120], [0, 120, 320, 120, 320, 240, 0, 240])
    tracking = Tracking("bytetrack", 0.5)
    told = []
    for index in range(16):
        moved = tracking(frame(index), found((20.0, 8.0 * index), (200.0, 150.0 - 8 * index)))
        told += counter.look(Result(frame(index), moved, ("cat",)))
    assert len(told) == 2 and sorted(line.split()[-1] for line in told) == ["in", "out"]
    assert str(counter) == "1 in, 1 out; 1 in the zone at the end"
    assert (counter.drawn(PICTURE.copy()) != PICTURE).any()
