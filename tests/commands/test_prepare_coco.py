"""COCO on disk, small: what is missing is said, and fetched when told to, also in two parts."""

from __future__ import annotations

import hashlib
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from yolor_gp.commands import prepare_coco
from yolor_gp.commands.prepare_coco import main
from yolor_gp.config.data_config import load_data_config
from yolor_gp.data import coco2017
from yolor_gp.data.coco2017 import ARCHIVES, Archive, Part, fetch, problems_of
from yolor_gp.errors import UserError

PART = Part("val2017", 3, 4)


def label(folder: Path, count: int = 4) -> None:
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    (folder / "annotations" / "instances_val2017.json").write_text(json.dumps({
        "images": [{"id": i, "file_name": f"{i}.jpg", "height": 20, "width": 30} for i in range(3)],
        "annotations": [{"id": i} for i in range(count)],
        "categories": [{"id": i} for i in range(80)],
    }))  # fmt: skip


def pictures(folder: Path) -> None:
    (folder / "images" / "val2017").mkdir(parents=True)
    for index in range(3):
        file = folder / "images" / "val2017" / f"{index}.jpg"
        cv2.imwrite(str(file), np.full((20, 30, 3), 90, np.uint8))


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    label(tmp_path)
    pictures(tmp_path)
    return tmp_path


def test_a_whole_one_has_no_problems(whole: Path) -> None:
    assert problems_of(whole, (PART,)) == []


def test_what_is_wrong_is_said(whole: Path) -> None:
    images = whole / "images" / "val2017"
    (images / "0.jpg").unlink()
    (images / "1.jpg").write_bytes(b"\xff\xd8 cut short")
    cv2.imwrite(str(images / "2.jpg"), np.zeros((8, 8, 3), np.uint8))
    label(whole, count=3)
    counted, missing, *damaged = problems_of(whole, (PART,))
    assert "3 images, 3 annotations, 80 categories; the published file has 3, 4 and 80" in counted
    assert "1 of 3 images are missing (0.jpg, ...); unpack" in missing and "val2017.zip" in missing
    assert sorted(line.partition(": ")[2] for line in damaged) == [
        "8x8 pixels, the annotations say 30x20; unpack its archive anew",
        "cannot be decoded; unpack its archive anew",
    ]
    (whole / "annotations" / "instances_val2017.json").write_text("{")
    assert "cannot be read (JSONDecodeError)" in problems_of(whole, (PART,))[0]


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        main([str(tmp_path / "none"), "--part", "val2017"])
    (problem,) = caught.value.problems
    assert "instances_val2017.json: missing; unpack" in problem
    assert "--download fetches what is missing" in problem


class _Server(HTTPServer):
    content: bytes
    asked: list[str]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        begin = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.server.asked.append(self.headers["Range"])
        self.send_response(206 if begin else 200)
        self.end_headers()
        self.wfile.write(self.server.content[begin:])

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[_Server]:
    """Publishes an archive of the pictures."""
    source = tmp_path / "source"
    pictures(source)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file in sorted((source / "images" / "val2017").iterdir()):
            archive.write(file, f"val2017/{file.name}")
    found = _Server(("127.0.0.1", 0), _Handler)
    found.content, found.asked = (tmp_path / "a.zip").read_bytes(), []
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    yield found
    found.shutdown()
    found.server_close()


def published(server: _Server) -> Archive:
    md5 = hashlib.md5(server.content, usedforsecurity=False).hexdigest()
    return replace(ARCHIVES[1], bytes=len(server.content), md5=md5)


def address(server: _Server) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def test_a_download_goes_on_where_it_ended(server: _Server, tmp_path: Path) -> None:
    folder, archive = tmp_path / "coco", published(server)
    came: list[int] = []
    folder.mkdir()
    (folder / archive.name).write_bytes(server.content[:100])
    fetch(folder, archive, progress=came.append, base=address(server), keep=True)
    assert server.asked == ["bytes=100-"] and sum(came) == archive.bytes
    assert (folder / archive.name).read_bytes() == server.content
    label(folder)
    assert problems_of(folder, (PART,)) == []


def test_what_was_not_published_is_removed(server: _Server, tmp_path: Path) -> None:
    wrong = replace(published(server), md5="0" * 32)
    with pytest.raises(UserError, match="published is 000"):
        fetch(tmp_path / "coco", wrong, progress=lambda _: None, base=address(server))
    assert not (tmp_path / "coco" / wrong.name).exists()
    with pytest.raises(UserError, match="call again to go on"):
        longer = replace(wrong, bytes=wrong.bytes + 1)
        fetch(tmp_path / "coco", longer, progress=lambda _: None, base=address(server))
    with pytest.raises(UserError, match="cannot be fetched"):
        fetch(tmp_path / "other", wrong, progress=lambda _: None, base="http://127.0.0.1:9")


def test_the_command_fetches_what_is_missing(
    server: _Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "coco"
    label(folder)
    monkeypatch.setattr(prepare_coco, "PARTS", (PART,))
    monkeypatch.setattr(prepare_coco, "ARCHIVES", (ARCHIVES[0], published(server)))
    yaml = tmp_path / "coco.yaml"
    words = [str(folder), "--download", "--mirror", address(server), "--yaml", str(yaml)]
    assert main(words) == 0
    assert server.asked == ["bytes=0-"]  # of the two archives, the one that was named
    assert not (folder / "val2017.zip").exists()
    assert load_data_config(yaml).val == (folder / "images" / "val2017",)


def test_a_full_disk_is_told_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coco2017.shutil, "disk_usage", lambda _: type("U", (), {"free": 10**9})())
    with pytest.raises(UserError, match=r"train2017\.zip needs 38\.7 GB .* 1\.0 GB are free"):
        fetch(tmp_path, ARCHIVES[2], progress=lambda _: None)
