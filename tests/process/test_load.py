from __future__ import annotations

import os

import pytest

from yolor_gp.process.load import busy_words


def test_a_busy_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (2.9, 0.0, 0.0))
    assert busy_words() == ""
    monkeypatch.setattr(os, "getloadavg", lambda: (5.21, 0.0, 0.0))
    assert busy_words() == " (other work runs here, load 5.2 on 2 cores: times are too long)"
    monkeypatch.delattr(os, "getloadavg")  # as on Windows
    assert busy_words() == ""
