"""Fixtures of the whole suite."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from yolor_gp.commands.program import show_words

# One thread a process: tiny tensors gain nothing from more, and workers share the cores.
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of COCO images, golden numbers and weights that lies beside the repository."""
    folder = ROOT.parent / "shared"
    if not (folder / "golden").is_dir():
        pytest.skip(f"no {folder.name}/ folder beside the repository (golden numbers, COCO images)")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program."""
    for name in ("chromium", "chromium-browser", "google-chrome", "chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("no Chromium to open pages in")


@pytest.fixture(autouse=True, scope="session")
def words_are_shown() -> None:
    """Commands are called without their door, which would see to it."""
    show_words()


@pytest.fixture(autouse=True, scope="session")
def own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests keep on disk does not mix with the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
