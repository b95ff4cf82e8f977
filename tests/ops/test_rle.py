from __future__ import annotations

import numpy as np
import pycocotools.mask
from hypothesis import given, settings
from hypothesis import strategies as st

from yolor_gp.ops.masks import dense_masks
from yolor_gp.ops.rle import encode_windows

SIDE = st.integers(1, 12)


@st.composite
def windows_and_masks(draw: st.DrawFn) -> tuple[np.ndarray, list[np.ndarray], tuple[int, int]]:
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


@settings(max_examples=300, deadline=None)
@given(windows_and_masks())
def test_writes_the_bytes_that_pycocotools_writes(
    case: tuple[np.ndarray, list[np.ndarray], tuple[int, int]],
) -> None:
    windows, masks, size = case
    dense = dense_masks(windows, masks, size).astype(np.uint8)
    expected = [pycocotools.mask.encode(np.asfortranarray(mask)) for mask in dense]
    assert encode_windows(windows, masks, size) == expected


def test_long_runs_take_several_characters() -> None:
    size = (3000, 4000)
    window = np.array([[1999, 0, 2001, 3000]])
    mask = np.ones((2, 3000), dtype=np.bool_)
    mask[1, 1500] = False
    (rle,) = encode_windows(window, [mask], size)
    dense = dense_masks(window, [mask], size)[0]
    assert rle == pycocotools.mask.encode(np.asfortranarray(dense.astype(np.uint8)))
    assert pycocotools.mask.area(rle) == 5999
