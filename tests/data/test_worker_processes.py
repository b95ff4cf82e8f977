"""Worker processes of the training loader: memory, ends and errors."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.data.data_sets import Painted
from tests.data.test_train_loader import make, same
from yolor_gp.data.pixels.shared_memory import AVAILABLE
from yolor_gp.errors import UserError

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="workers are threads on this system")


def children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
        except OSError:
            continue
    return found


def gone(processes: list[int]) -> bool:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if not any(Path(f"/proc/{process}").exists() for process in processes):
            return True
        time.sleep(0.02)
    return False


def test_memory_is_used_again_only_when_nobody_holds_it(painted: Painted) -> None:
    loader = make(painted.open(64, "ram"), workers=2, batch_size=1)
    first = list(loader.epoch(0))  # all held
    copies = [batch.images.clone() for batch in first]
    maps = [batch.targets.index_map for batch in first]
    places = {batch.images.data_ptr() for batch in first}
    assert len(places) == len(first)
    pixels = [batch.images[0, 0] for batch in first]  # a view keeps it too
    del first
    for batch in loader.epoch(1):
        assert batch.images.data_ptr() not in places
    assert all(torch.equal(a, b[0, 0]) for a, b in zip(pixels, copies, strict=True))
    del batch, maps, pixels
    assert any(batch.images.data_ptr() in places for batch in loader.epoch(2))


def test_a_ram_cache_is_one_for_all(painted: Painted) -> None:
    dataset = painted.open(64, "ram")
    loader = make(dataset, workers=2)
    alone = list(make(painted.open(64)).epoch(0))
    assert same(alone, loader.epoch(0))
    for picture in painted.images.iterdir():
        picture.unlink()  # whatever is read from now on comes from the cache
    assert same(alone, make(dataset).epoch(0))
    assert same(alone, make(dataset, workers=1).epoch(0))


def test_a_killed_worker_is_told_and_replaced(painted: Painted) -> None:
    before = set(children(os.getpid()))
    loader = make(painted.open(64), workers=2)
    batches = loader.epoch(0)
    next(batches)
    (helper,) = set(children(os.getpid())) - before
    workers = children(helper)
    assert len(workers) == 2
    for number in (signal.SIGINT, signal.SIGTERM):  # what the trainer gets may reach them too
        os.kill(workers[0], number)
    next(batches)
    os.kill(workers[0], signal.SIGKILL)
    with pytest.raises(UserError, match=r"ended unexpectedly.*--workers"):
        for epoch in range(50):
            list(loader.epoch(epoch))
    assert gone([helper, *workers])
    assert same(loader.epoch(0), make(painted.open(64)).epoch(0))
    (helper,) = set(children(os.getpid())) - before
    workers = children(helper)
    del loader, batches
    assert gone([helper, *workers])


def test_workers_end_with_a_killed_loader(painted: Painted) -> None:
    painted.open(64)
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:
        try:
            loader = make(painted.open(64), workers=2)
            batches = loader.epoch(0)
            next(batches)
            (helper,) = children(os.getpid())
            os.write(writer, " ".join(map(str, [helper, *children(helper)])).encode())
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    os.close(writer)
    processes = [int(part) for part in os.read(reader, 1000).split()]
    os.close(reader)
    os.waitpid(parent, 0)
    assert len(processes) == 3 and gone(processes)


def test_workers_import_nothing_that_lies_in_the_working_folder(
    painted: Painted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program started elsewhere does not, either."""
    for name in ("json", "cv2", "torch", "yolor_gp"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')\n")
    dataset = painted.open(64)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(Path(part).absolute()) for part in sys.path if part])
    assert same(make(dataset, workers=2).epoch(0), make(dataset).epoch(0))


def test_workers_do_without_torch(painted: Painted) -> None:
    """Its import takes ten times as long as all the rest of a worker's beginning."""
    before = set(children(os.getpid()))
    batches = make(painted.open(64), workers=1).epoch(0)
    next(batches)
    (helper,) = set(children(os.getpid())) - before
    for process in (helper, *children(helper)):
        assert "libtorch" not in Path(f"/proc/{process}/maps").read_text()


def test_labels_are_not_pickled(painted: Painted) -> None:
    dataset = painted.open(64)
    assert len(pickle.dumps(dataset)) < 2000
    table = pickle.loads(pickle.dumps(dataset.table))
    assert (table.boxes == dataset.table.boxes).all() and table.names == dataset.table.names
