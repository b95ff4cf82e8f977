"""Small painted data sets: every class has its colour, so that labels can be held to pixels."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.data_sets import Painted


@pytest.fixture(autouse=True)
def own_label_cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Parsed labels are kept under a folder of the test's own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture
def painted(tmp_path: Path) -> Painted:
    """Twelve pictures with bars, triangles, rings and pairs of blocks in their own colours."""
    return Painted(tmp_path / "painted")
