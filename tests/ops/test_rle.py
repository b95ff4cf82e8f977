from __future__ import annotations

import numpy as np
import pycocotools.mask
from hypothesis import given, settings
from hypothesis import strategies as st

from yolor_gp.ops.rle import encode
from yolor_gp.ops.run_lengths import runs_of_windows

SIDE = st.integers(1, 12)
Case = tuple[np.ndarray, list[np.ndarray], tuple[int, int]]


@st.composite
def windows_and_masks(draw: st.DrawFn) -> Case:
    height, width = draw(SIDE), draw(SIDE)
    windows, masks = [], []
    for _ in range(draw(st.integers(0, 4))):
        left, right = sorted((draw(st.integers(0, width)), draw(st.integers(0, width))))
        top, bottom = sorted((draw(st.integers(0, height)), draw(st.integers(0, height))))
        generator = np.random.default_rng(draw(st.integers(0, 99)))
        density = draw(st.sampled_from([0.0, 0.3, 0.8, 1.0]))
        windows.append((left, top, right, bottom))
        masks.append(generator.random((right - left, bottom - top)) < density)
    return np.array(windows, dtype=np.int64).reshape(-1, 4), masks, (height, width)


def in_full(windows: np.ndarray, masks: list[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    dense = np.zeros((len(masks), *size), dtype=np.uint8)
    for full, (left, top, right, bottom), mask in zip(dense, windows, masks, strict=True):
        full[top:bottom, left:right] = mask.T
    return dense


@settings(max_examples=200, deadline=None)
@given(windows_and_masks())
def test_writes_the_bytes_that_pycocotools_writes(case: Case) -> None:
    runs = runs_of_windows(*case)
    dense = in_full(*case)
    expected = [pycocotools.mask.encode(np.asfortranarray(mask)) for mask in dense]
    assert encode(runs) == expected
    assert runs.areas().tolist() == dense.sum(axis=(1, 2)).tolist()


@settings(max_examples=100, deadline=None)
@given(windows_and_masks())
def test_runs_give_back_the_bitmaps(case: Case) -> None:
    windows, masks, size = case
    runs = runs_of_windows(windows, masks, size)
    backwards = runs.select(np.arange(len(masks))[::-1])
    for index, mask in enumerate(masks):
        assert np.array_equal(runs.columns(index, windows[index].tolist()), mask)
        assert np.array_equal(backwards.of(len(masks) - 1 - index), runs.of(index))
        assert (np.diff(runs.of(index)) > 0).all()


def test_long_runs_take_several_characters() -> None:
    case = (np.array([[1999, 0, 2001, 3000]]), [np.ones((2, 3000), dtype=np.bool_)], (3000, 4000))
    case[1][0][1, 1500] = False
    runs = runs_of_windows(*case)
    dense = np.asfortranarray(in_full(*case)[0])
    assert encode(runs) == [pycocotools.mask.encode(dense)]
    assert runs.areas().tolist() == [5999]
