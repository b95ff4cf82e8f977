from __future__ import annotations

import threading

import pytest

from yolor_gp.engine.distributed.rendezvous import agree_on_token


class DictStore:
    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def set(self, key: str, value: str, /) -> None:
        self.values[key] = value.encode()

    def get(self, key: str, /) -> bytes:
        return self.values[key]

    def check(self, keys: list[str], /) -> bool:
        return all(key in self.values for key in keys)


def meet(store: DictStore, size: int) -> list[str]:
    tokens: dict[int, str] = {}

    def come(rank: int) -> None:
        tokens[rank] = agree_on_token(store, rank, size, timeout=20)

    threads = [threading.Thread(target=come, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [tokens[rank] for rank in range(size)]


def test_everybody_gets_the_same_token() -> None:
    assert len(set(meet(DictStore(), 4))) == 1


def test_what_an_earlier_start_left_behind_does_not_matter() -> None:
    store = DictStore()
    first = meet(store, 3)
    # One of a second start was killed after its hello, and again after accepting.
    store.set("hello/2", "killed")
    store.set("accept/old/2", "1")
    second = meet(store, 3)
    assert len(set(second)) == 1 and set(first).isdisjoint(second)


def test_the_missing_are_named() -> None:
    with pytest.raises(TimeoutError, match=r"rank 1, 2 of 3 did not come"):
        agree_on_token(DictStore(), 0, 3, timeout=0.1)
    with pytest.raises(TimeoutError, match="rank 0 did not come"):
        agree_on_token(DictStore(), 1, 3, timeout=0.1)
