from __future__ import annotations

import time

from yolor_gp.engine.distributed.heartbeat import Heartbeat


class DictStore:
    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.broken = False

    def set(self, key: str, value: str, /) -> None:
        if self.broken:
            raise RuntimeError("Connection reset by peer")
        self.values[key] = value.encode()

    def get(self, key: str, /) -> bytes:
        return self.values[key]

    def check(self, keys: list[str], /) -> bool:
        return all(key in self.values for key in keys)


def beat(store: DictStore, rank: int, timeout: float = 0.2) -> tuple[Heartbeat, list[str]]:
    heard: list[str] = []
    return Heartbeat(store, rank, 2, timeout=timeout, on_loss=heard.append), heard


def wait_for(heard: list[str]) -> None:
    deadline = time.monotonic() + 5
    while not heard and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_silent_peer_is_named() -> None:
    store = DictStore()
    first, heard = beat(store, 0)
    beat(store, 1)  # says one thing and is never heard of again
    first.start()
    wait_for(heard)
    assert heard and heard[0].startswith("rank 1 of 2 (host ")
    assert "has not been heard of" in heard[0]


def test_a_beating_peer_is_left_alone_and_a_finished_one_too() -> None:
    store = DictStore()
    first, _ = beat(store, 0, timeout=0.05)
    second, _ = beat(store, 1, timeout=0.05)
    for _ in range(3):
        time.sleep(0.1)
        second.say("running")
        assert first.look() is None
    second.stop()
    first.look()
    time.sleep(0.1)
    assert first.look() is None


def test_a_failed_peer_says_why() -> None:
    store = DictStore()
    first, _ = beat(store, 0)
    second, _ = beat(store, 1)
    second.stop("failed", "out of memory on cuda:1")
    message = first.look()
    assert message is not None and message.endswith("failed: out of memory on cuda:1")


def test_a_store_that_is_gone_is_a_lost_peer() -> None:
    store = DictStore()
    first, heard = beat(store, 0)
    store.broken = True
    first.start()
    wait_for(heard)
    assert "no longer answers (Connection reset by peer)" in heard[0]
