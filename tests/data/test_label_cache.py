"""Parsed labels on disk: keyed by content, replaced atomically, never trusted when damaged."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.data.data_sets import Painted
from yolor_gp.data.labels import coco_dataset
from yolor_gp.data.labels.array_file import read_arrays, write_arrays


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files parsed so far."""
    calls: list[Path] = []
    parse = coco_dataset.parse_coco

    def counted(file: Path, folder: Path) -> object:
        calls.append(file)
        return parse(file, folder)

    monkeypatch.setattr(coco_dataset, "parse_coco", counted)
    return calls


def cache_files(cache: Path) -> list[Path]:
    return sorted((cache / "yolor_gp" / "labels").glob("*.arrays"))


def test_arrays_are_read_as_written(tmp_path: Path) -> None:
    arrays: dict[str, NDArray[Any]] = {
        "a": np.arange(5),
        "b": np.zeros((0, 2), np.float32),
        "c": np.ones((3, 2), np.bool_),
    }
    write_arrays(tmp_path / "x", arrays, {"name": "ä"})
    found, notes = read_arrays(tmp_path / "x")
    assert notes == {"name": "ä"}
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype and (found[name] == array).all()
        assert found[name].shape == array.shape
        assert not found[name].flags.writeable
    assert [path.name for path in tmp_path.iterdir()] == ["x"]  # nothing half written


@pytest.mark.parametrize("content", [b"", b"abc", b"\x05" + b"\0" * 7 + b"[1,2]", b"\xff" * 64])
def test_damaged_arrays_are_a_value_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ValueError, match=r"x|Expecting|JSON|decode"):
        read_arrays(tmp_path / "x")


def test_labels_are_parsed_once(painted: Painted, parses: list[Path]) -> None:
    first, second = painted.open(), painted.open()
    assert len(parses) == 1
    assert first.fingerprint == second.fingerprint
    assert (first.table.points == second.table.points).all()
    assert first.names == second.names


def test_changed_content_is_noticed_even_at_the_same_time_and_size(
    painted: Painted, parses: list[Path], own_label_cache: Path
) -> None:
    before = painted.open()
    status = painted.file.stat()
    text = painted.file.read_text().replace('"bar"', '"car"')
    painted.file.write_text(text)
    os.utime(painted.file, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = painted.open()
    assert after.names[0] == "car" and after.fingerprint != before.fingerprint
    assert len(parses) == 2 and len(cache_files(own_label_cache)) == 1  # the old one is gone


@pytest.mark.parametrize("damage", [b"", b"\xff" * 200])
def test_damaged_caches_are_parsed_again(
    painted: Painted, parses: list[Path], own_label_cache: Path, damage: bytes
) -> None:
    painted.open()
    (file,) = cache_files(own_label_cache)
    file.write_bytes(damage)
    assert len(painted.open()) == 12
    assert len(parses) == 2
    painted.open()
    assert len(parses) == 2


def test_cut_off_caches_are_parsed_again(
    painted: Painted, parses: list[Path], own_label_cache: Path
) -> None:
    painted.open()
    (file,) = cache_files(own_label_cache)
    file.write_bytes(file.read_bytes()[:-200])
    assert len(painted.open().instances(11)) == 4
    assert len(parses) == 2


def test_without_a_writable_folder_there_is_no_cache(
    painted: Painted, parses: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(painted.open()) == len(painted.open()) == 12
    assert len(parses) == 2
