"""The collector rests, and comes back whatever happens."""

from __future__ import annotations

import gc

import pytest

from yolor_gp.process.collector import collector_paused


def test_it_is_off_within_and_on_afterwards() -> None:
    with collector_paused():
        assert not gc.isenabled()
        with collector_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_brings_it_back() -> None:
    with pytest.raises(KeyError), collector_paused():
        raise KeyError
    assert gc.isenabled()
