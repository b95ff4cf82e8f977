"""Folders, pictures, videos and data files as people really have them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import yolor_gp
from tests.data.test_real_exports import QUICK, export, findings
from yolor_gp import UserError
from yolor_gp.config.data_config import load_data_config
from yolor_gp.data.datasets import open_dataset
from yolor_gp.data.pixels.images import image_size, read_image
from yolor_gp.files import did_you_mean_path
from yolor_gp.media.sources import open_source

LABEL = "0 .5 .5 .4 .4\n"
OUTLINE = "0 .5 .5 .9 .5 .9 .9 .5 .9\n"


def yolo(root: Path, names: Sequence[str] = ("0.png", "1.png")) -> Path:
    """Pictures with a label file each."""
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    for number, name in enumerate(names):
        picture = Image.fromarray(np.full((64, 96, 3), 30 * number + 20, np.uint8))
        picture.save(root / "images" / name)
        (root / "labels" / name).with_suffix(".txt").write_text(LABEL)
    file = root / "data.yaml"
    file.write_text("train: images\nval: images\nnames: [thing]\n")
    return file


def objects(data: Path) -> list[int]:
    dataset = open_dataset(load_data_config(data), "train", image_size=64)
    return [len(dataset.instances(index)) for index in range(len(dataset))]


def test_labels_half_beside_the_images(tmp_path: Path) -> None:
    data = yolo(tmp_path, ["0.png", "1.png", "2.png"])
    (tmp_path / "labels" / "1.txt").rename(tmp_path / "images" / "1.txt")
    (tmp_path / "images" / "2.txt").write_text(LABEL + OUTLINE)
    assert objects(data) == [1, 1, 1]
    said = findings(data)["warning labels twice"]
    assert "images/2.txt: is not read" in said


def test_boxes_among_polygons(tmp_path: Path) -> None:
    data = yolo(tmp_path)
    (tmp_path / "labels" / "0.txt").write_text(LABEL + OUTLINE)
    assert "2 of 3 objects have no outline" in findings(data)["warning boxes among outlines"]


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("kind", ["tif", "avif", "png", "webp", "jpg"])
def test_every_kind_is_turned_alike(tmp_path: Path, kind: str, orientation: int) -> None:
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:32, :48] = (250, 10, 10)
    exif = Image.Exif()
    exif[274] = orientation
    file = tmp_path / f"a.{kind}"
    Image.fromarray(pixels).save(file, exif=exif)
    turns = {1: 0, 3: 2, 6: 3, 8: 1}[orientation]
    expected = np.rot90(pixels, turns)
    image = read_image(file)
    assert image.shape[:2] == image_size(file) == expected.shape[:2]
    assert np.abs(image.astype(int) - expected).mean() < 12  # lossy kinds
    # Labels made for the pixels as they are stored are kept to as well.
    if orientation in (6, 8):
        stored = read_image(file, (64, 96))
        assert np.abs(stored.astype(int) - pixels).mean() < 12


def test_turned_pictures_with_polygons_train(tmp_path: Path) -> None:
    names = ["0.tif", "1.avif"]
    data = yolo(tmp_path, names)
    exif = Image.Exif()
    exif[274] = 6
    for name in names:
        Image.new("RGB", (96, 64)).save(tmp_path / "images" / name, exif=exif)
        (tmp_path / "labels" / name).with_suffix(".txt").write_text(OUTLINE)
    assert not yolor_gp.check_dataset(data).errors
    dataset = open_dataset(load_data_config(data), "train", image_size=64)
    assert [dataset.load(index).image.shape for index in range(2)] == [(3, 96, 64)] * 2 or [
        dataset.load(index).image.shape for index in range(2)
    ] == [(96, 64, 3)] * 2


def test_one_list_of_kinds(tmp_path: Path) -> None:
    names = ["a.jpg", "b.avif", "c.mpo", "d.gif", "e.jfif", "f.png"]
    data = yolo(tmp_path, names)
    (tmp_path / "images" / "g.heic").write_bytes(b"anything")
    assert objects(data) == [1] * len(names)
    said = findings(data)["warning pictures left out"]
    assert "1 left out, of kinds that cannot be read (g.heic)" in said
    source = open_source(str(tmp_path / "images"))
    assert sorted({Path(frame.path).name for frame in source}) == names
    assert len(source.skipped) == 1
    assert "g.heic" in source.skipped[0]


def test_a_folder_of_unreadable_kinds_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.heic").touch()
    with pytest.raises(UserError, match=r"a\.heic"):
        open_source(str(tmp_path))


def video(file: Path, codec: str, frames: int = 12) -> Path:
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*codec), 10, (96, 64))
    for number in range(frames):
        noise = np.random.default_rng(number).integers(0, 255, (64, 96, 3), np.uint8)
        writer.write(noise)
    writer.release()
    return file


def test_damaged_videos_are_counted(tmp_path: Path) -> None:
    whole = video(tmp_path / "whole.avi", "MJPG")
    assert len(list(source := open_source(str(whole)))) == 12
    assert source.skipped == []
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])
    read = len(list(source := open_source(str(cut))))
    assert 0 < read < 10
    assert source.skipped == [f"{cut}: {read} of 12 frames could be read; the file is damaged"]


def test_what_lies_behind_the_damage_is_read(tmp_path: Path) -> None:
    whole = video(tmp_path / "whole.mp4", "mp4v", 60)
    data = bytearray(whole.read_bytes())
    start = len(data) // 3
    data[start : start + 3000] = np.random.default_rng(0).bytes(3000)
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(data)
    read = len(list(source := open_source(str(damaged))))
    assert read > 20
    assert source.skipped == [] or "of 60 frames" in source.skipped[0]


def test_roboflow_as_downloaded(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        yolo(tmp_path / split)
        (tmp_path / split / "data.yaml").unlink()
    data = tmp_path / "data.yaml"
    data.write_text(
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 1\n"
        "names: ['thing']\nroboflow: {workspace: w, project: p, version: 1, license: x, url: u}\n"
    )
    assert objects(data) == [1, 1]
    assert not yolor_gp.check_dataset(data).errors


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("[yes, no]", ("yes", "no")),
        ("[12:30, 007]", ("12:30", "007")),
        ("[1.10, 1e3, on, 0x1F]", ("1.10", "1e3", "on", "0x1F")),
        ("{0: yes, 1: 2024-01-01}", ("yes", "2024-01-01")),
    ],
)
def test_class_names_are_the_text_as_written(
    tmp_path: Path, written: str, expected: tuple[str, ...]
) -> None:
    data = yolo(tmp_path)
    data.write_text(f"train: images\nval: images\nnames: {written}\n")
    assert load_data_config(data).names == expected


def test_a_single_image_trains_or_says_why_not(tmp_path: Path) -> None:
    data = export(tmp_path, count=1)
    model = yolor_gp.load("yolor-elan-n", device="cpu")
    words = {**QUICK, "batch_size": 1, "project": tmp_path / "runs"}
    with pytest.raises(UserError, match="use --img 64 or --batch-size 2"):
        model.train(data, **{**words, "img": 32})
    assert model.train(data, **words).exit_code == 0


def test_wrong_paths_get_a_guess(tmp_path: Path) -> None:
    yolo(tmp_path / "my set")
    image = tmp_path / "my set" / "images" / "0.png"
    for wrong in (
        str(image).replace("/", "\\"),
        str(image).replace(" ", "%20"),
        str(image).replace("images/", "images/images/"),
        str(image).replace(".png", ".PNG"),
        str(image).replace(".png", ".jpg"),
        str(image).replace("images", "Images"),
    ):
        assert did_you_mean_path(wrong) == f"; did you mean '{image}'?"
    assert did_you_mean_path(tmp_path / "nothing" / "like it") == ""
    with pytest.raises(UserError, match="did you mean"):
        open_source(str(image).replace(".png", ".PNG"))
    data = tmp_path / "my set" / "data.yaml"
    data.write_text("train: Images\nval: images\nnames: [thing]\n")
    with pytest.raises(UserError, match="did you mean"):
        objects(data)
    shutil.rmtree(tmp_path / "my set" / "images")
