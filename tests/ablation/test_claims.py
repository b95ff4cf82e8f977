"""One owner at a time, whatever happens to owners."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from yolor_gp.ablation.claims import CLAIM, Claim, claim, silence

LONG_AGO = 1_000_000_000


def held(folder: Path, stale: float = 60) -> Claim:
    found = claim(folder, stale=stale)
    assert found is not None
    return found


def test_the_first_has_it_until_it_is_released(tmp_path: Path) -> None:
    with held(tmp_path / "row") as first:
        assert first.is_ours
        assert claim(tmp_path / "row", stale=60) is None
    assert not (tmp_path / "row" / CLAIM).exists()
    with held(tmp_path / "row"):
        pass


def test_a_living_owner_is_heard_of(tmp_path: Path) -> None:
    with held(tmp_path, stale=0.3):
        time.sleep(0.6)
        quiet = silence(tmp_path)
        assert quiet is not None and quiet < 0.25
        assert claim(tmp_path, stale=0.3) is None


def test_a_dead_owner_is_succeeded_by_one(tmp_path: Path) -> None:
    dead = held(tmp_path)
    os.utime(tmp_path / CLAIM, (LONG_AGO, LONG_AGO))
    found: list[Claim | None] = []
    start = threading.Barrier(8)

    def take() -> None:
        start.wait()
        found.append(claim(tmp_path, stale=60))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [one for one in found if one is not None]
    assert len(winners) == 1 and winners[0].is_ours
    assert not dead.is_ours
    with dead:  # wakes up late: it must not take away what is another's
        pass
    assert winners[0].is_ours
    assert [file.name for file in tmp_path.iterdir()] == [CLAIM]


def test_a_successor_that_died_at_once_is_no_obstacle(tmp_path: Path) -> None:
    held(tmp_path)
    owner = (tmp_path / CLAIM).read_text().split('"')[3]
    stuck = tmp_path / f".succeeds-{owner}"
    stuck.touch()
    for file in (stuck, tmp_path / CLAIM):
        os.utime(file, (LONG_AGO, LONG_AGO))
    assert claim(tmp_path, stale=60) is None
    assert claim(tmp_path, stale=60) is not None


def test_a_claim_cut_short_while_written_is_succeeded(tmp_path: Path) -> None:
    (tmp_path / CLAIM).write_text('{"own')
    assert claim(tmp_path, stale=60) is None
    os.utime(tmp_path / CLAIM, (LONG_AGO, LONG_AGO))
    assert claim(tmp_path, stale=60) is not None


def test_nobody_there_is_no_silence(tmp_path: Path) -> None:
    assert silence(tmp_path) is None
