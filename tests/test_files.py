"""Whole files or none; places that cannot be written are told before work begins."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from yolor_gp.errors import UserError
from yolor_gp.files import check_writable, whole_file, write_json, write_text


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    target = write_text(tmp_path / "deep" / "a.txt", "old")
    with pytest.raises(RuntimeError, match="full"), whole_file(target) as file:
        file.write(b"new, but not all of")
        raise RuntimeError("full")
    assert target.read_text() == "old"
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]


def test_a_file_has_the_mode_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    ours = write_json(tmp_path / "ours", {"a": 1})
    assert ours.stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert ours.read_text() == '{"a": 1}\n'


@pytest.mark.parametrize("folder", [False, True])
def test_a_place_is_tried_and_left_as_it_was(tmp_path: Path, folder: bool) -> None:
    check_writable(tmp_path / "new" / "x", folder=folder)
    assert (tmp_path / "new" / "x").exists() == folder
    assert not [path for path in (tmp_path / "new").rglob("*") if path.is_file()]


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (False, True):
        with pytest.raises(
            UserError, match=r"file/x: cannot be written \((Not a directory|File exists)\)"
        ):
            check_writable(tmp_path / "file" / "x", folder=folder)
    with pytest.raises(UserError, match="is a folder; name a file"):
        check_writable(tmp_path)
    with pytest.raises(UserError, match="cannot be written"):
        write_text(tmp_path / "file" / "x", "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="Permission denied"):
        check_writable(tmp_path / "x")
