from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from yolor_gp.engine.checkpoints.checkpoint import (
    DamagedCheckpointError,
    previous_of,
    read_checkpoint,
    read_newest_whole,
    save_checkpoint,
)
from yolor_gp.errors import UserError


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file may grow past 100 kB: writing fails as on a full disk."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, handler)


def number_in(path: Path) -> int:
    return int(read_checkpoint(path)["number"])


def test_the_one_before_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "last.pt"
    for number in (1, 2, 3):
        save_checkpoint({"number": number, "t": torch.ones(3)}, file, keep_previous=True)
    assert number_in(file) == 3 and number_in(previous_of(file)) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last.previous.pt", "last.pt"]


def test_a_full_disk_leaves_both_files_whole(tmp_path: Path, full_disk: None) -> None:
    file = tmp_path / "last.pt"
    for number in (1, 2):
        save_checkpoint({"number": number}, file, keep_previous=True)
    with pytest.raises(UserError, match=r"last\.pt: cannot be written \(File too large\)"):
        save_checkpoint({"t": torch.ones(100_000)}, file, keep_previous=True)
    assert number_in(file) == 2 and number_in(previous_of(file)) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last.previous.pt", "last.pt"]


@pytest.mark.parametrize(
    "moment",
    ["engine.checkpoints.checkpoint._write", "engine.checkpoints.checkpoint._keep",
     "files._sync_folder"],
)  # fmt: skip
def test_ended_at_any_moment_a_whole_file_remains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    file = tmp_path / "last.pt"
    save_checkpoint({"number": 1}, file, keep_previous=True)
    save_checkpoint({"number": 2}, file, keep_previous=True)

    def end(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"yolor_gp.{moment}", end)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint({"number": 3}, file, keep_previous=True)
    state, used, problems = read_newest_whole(file)
    assert (state["number"], used, problems) == (
        3 if moment == "files._sync_folder" else 2,
        file,
        [],
    )


def test_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr("os.link", refuse)
    file = tmp_path / "last.pt"
    for number in (1, 2):
        save_checkpoint({"number": number}, file, keep_previous=True)
    assert number_in(file) == 2 and number_in(previous_of(file)) == 1


def damage(file: Path, kind: str) -> None:
    content = file.read_bytes()
    if kind == "flipped":
        middle = content.index(b"\x00\x00\x80?" * 20) + 8  # among the ones of the tensor
        content = content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :]
    file.write_bytes({"empty": b"", "short": content[:-500], "text": b"hello"}.get(kind, content))


@pytest.mark.parametrize("kind", ["flipped", "empty", "short", "text"])
def test_damage_is_noticed(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "last.pt"
    save_checkpoint({"t": torch.ones(1000)}, file)
    damage(file, kind)
    with pytest.raises(DamagedCheckpointError, match=r"last\.pt"):
        read_checkpoint(file)


def test_other_files_are_refused(tmp_path: Path) -> None:
    torch.save({"model": torch.ones(1)}, tmp_path / "other.pt")
    with pytest.raises(DamagedCheckpointError, match="not a checkpoint of this project"):
        read_checkpoint(tmp_path / "other.pt")
    torch.save(torch.nn.Linear(1, 1), tmp_path / "module.pt")
    with pytest.raises(DamagedCheckpointError, match=r"module\.pt"):
        read_checkpoint(tmp_path / "module.pt")
    with pytest.raises(UserError, match="no such checkpoint"):
        read_checkpoint(tmp_path / "absent.pt")
