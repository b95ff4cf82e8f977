"""Threads that work ahead give what the caller's own thread would, in its order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest

from yolor_gp.workers import AHEAD, Workers, read_ahead


def numbers(made: list[int], until: int = 50, fails_at: int | None = None) -> Iterator[int]:
    for number in range(until):
        if number == fails_at:
            raise KeyError(number)
        made.append(number)
        yield number


def test_items_come_in_order_from_another_thread() -> None:
    threads = []

    def items() -> Iterator[int]:
        for number in range(20):
            threads.append(threading.current_thread())
            yield number

    assert list(read_ahead(items())) == list(range(20))
    assert set(threads) != {threading.current_thread()} and len(set(threads)) == 1


def test_an_error_comes_in_its_place() -> None:
    found = []
    with pytest.raises(KeyError):
        for number in read_ahead(numbers([], fails_at=7)):
            found.append(number)
    assert found == list(range(7))


def test_no_more_than_a_few_are_made_ahead_and_none_after_the_end() -> None:
    made: list[int] = []
    ahead = read_ahead(numbers(made))
    assert not made
    assert [next(ahead) for _ in range(5)] == list(range(5))
    assert len(made) <= 5 + AHEAD
    ahead.close()
    count = len(made)
    time.sleep(0.02)
    assert len(made) == count <= 5 + AHEAD


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_results_are_those_of_one_thread(threads: int) -> None:
    jobs = (partial(pow, number, 2) for number in range(30))
    assert list(Workers(threads).run(jobs)) == [number * number for number in range(30)]
