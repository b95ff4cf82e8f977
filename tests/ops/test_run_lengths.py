from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from yolor_gp.ops.run_lengths import runs_of_keys, runs_of_windows

MASKS, HEIGHT, WIDTH = 4, 3, 2
WHOLE = HEIGHT * WIDTH


@given(st.lists(st.tuples(st.integers(0, MASKS - 1), st.integers(0, WHOLE)), max_size=30))
def test_changes_at_one_place_undo_each_other(changes: list[tuple[int, int]]) -> None:
    keys = np.array([mask * (WHOLE + 1) + position for mask, position in changes], np.int64)
    runs = runs_of_keys([keys], MASKS, (HEIGHT, WIDTH))
    times = Counter(changes)
    for mask in range(MASKS):
        expected = [position for position in range(WHOLE) if times[mask, position] % 2]
        assert runs.of(mask).tolist() == expected
    assert len(runs) == MASKS


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 255)),
        max_size=3,
    )
)
def test_windows_come_back_as_they_were(drawn: list[tuple[int, int, int]]) -> None:
    """Windows of 2 x 3 pixels, anywhere in an image of 4 x 5, the last column and row included."""
    bits = [np.array(list(f"{pattern % 64:06b}")).reshape(2, 3) == "1" for *_, pattern in drawn]
    windows = np.array([(left, top, left + 2, top + 3) for left, top, _ in drawn], np.int64)
    runs = runs_of_windows(windows.reshape(-1, 4), bits, (5, 4))
    for index, (left, top, _) in enumerate(drawn):
        full = np.zeros((4, 5), bool)
        full[left : left + 2, top : top + 3] = bits[index]
        assert np.array_equal(runs.columns(index, (0, 0, 4, 5)), full)
        assert runs.areas()[index] == bits[index].sum()
