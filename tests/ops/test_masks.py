from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from yolor_gp.ops.masks import (
    Crop,
    box_windows,
    masks_in_boxes,
    prototype_crop,
)


def upsample(values: np.ndarray, begin: float, end: float, pixels: int) -> np.ndarray:
    """Linear along the last axis, `pixels` spread from `begin` to `end` cells, ends held."""
    first, last = math.floor(begin), math.ceil(end)
    position = (np.arange(pixels) + 0.5) * (end - begin) / pixels + begin - 0.5
    centres = np.arange(first, last)
    return np.apply_along_axis(
        lambda line: np.interp(position, centres, line[first:last]), -1, values
    )


def reference(
    coefficients: np.ndarray,
    prototypes: np.ndarray,
    boxes: np.ndarray,
    crop: Crop,
    size: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Every mask in full: upsampled probabilities, and which pixels lie in the box."""
    top, left, bottom, right = crop
    logits = np.einsum("nk,khw->nhw", coefficients, prototypes)
    wide = upsample(1 / (1 + np.exp(-logits)), left, right, size[1])
    full = upsample(wide.swapaxes(1, 2), top, bottom, size[0]).swapaxes(1, 2)
    rows, columns = np.arange(size[0])[None, :, None], np.arange(size[1])[None, None]
    x1, y1, x2, y2 = (side[:, None, None] for side in boxes.T)
    return full, (columns >= x1) & (columns < x2) & (rows >= y1) & (rows < y2)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    cells=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    threshold=st.sampled_from([0.2, 0.5, 0.8]),
)
def test_equals_drawing_and_upsampling_the_whole(
    seed: int, size: tuple[int, int], cells: tuple[int, int], threshold: float
) -> None:
    generator = np.random.default_rng(seed)
    # Half of the crops lie on whole cells, the others cut them.
    round_to = 0 if seed % 2 else 3
    top, left = (round(generator.uniform(0, length - 1), round_to) for length in cells)
    bottom, right = (
        round(generator.uniform(low + 0.6, length), round_to)
        for low, length in zip((top, left), cells, strict=True)
    )
    crop = (top, left, bottom, right)
    prototypes = generator.normal(size=(3, *cells)).astype(np.float32)
    coefficients = generator.normal(size=(5, 3)).astype(np.float32) * 2
    corners = np.sort(generator.uniform(-5, 75, size=(5, 2, 2)), axis=1)
    boxes = corners.reshape(5, 4).astype(np.float32)
    _, runs = masks_in_boxes(
        coefficients, prototypes, boxes, crop=crop, image_size=size, threshold=threshold
    )
    drawn = np.stack([runs.columns(index, (0, 0, size[1], size[0])).T for index in range(5)])
    upsampled, inside = reference(coefficients, prototypes, boxes, crop, size)
    expected = (upsampled > threshold) & inside
    # Sums in another order differ in the last bit: pixels at the threshold may go either way.
    undecided = np.abs(upsampled - threshold) < 1e-5
    assert (drawn == expected)[~undecided].all()


def test_windows_hold_the_pixels_that_the_box_covers() -> None:
    boxes = np.array([[0.5, 1, 3.2, 4], [-9, -9, 99, 99], [2.1, 2.1, 2.9, 9], [5, 5, 4, 4]])
    windows = box_windows(boxes.astype(np.float32), (6, 8))
    assert windows.tolist() == [[1, 1, 4, 4], [0, 0, 8, 6], [3, 3, 3, 6], [5, 5, 5, 5]]


def test_a_box_that_holds_no_pixel_has_an_empty_mask() -> None:
    boxes = np.array([[2.1, 2.1, 2.9, 9.0], [np.nan, 0, 3, 3]], dtype=np.float32)
    windows, runs = masks_in_boxes(
        np.ones((2, 1), np.float32),
        np.ones((1, 4, 4), np.float32),
        boxes,
        crop=(0, 0, 4, 4),
        image_size=(16, 16),
        threshold=0.5,
    )
    assert windows.shape == (2, 4) and runs.areas().tolist() == [0, 9]


def test_on_whole_cells_it_is_what_torch_interpolates() -> None:
    generator = torch.Generator().manual_seed(0)
    prototypes = torch.randn(4, 20, 16, generator=generator)
    coefficients = torch.randn(6, 4, generator=generator)
    probability = torch.einsum("nk,khw->nhw", coefficients, prototypes[:, 2:18]).sigmoid()
    expected = F.interpolate(probability[None], size=(100, 90), mode="bilinear")[0] > 0.5
    boxes = torch.tensor([[0.0, 0.0, 90.0, 100.0]]).repeat(6, 1)
    _, runs = masks_in_boxes(
        coefficients.numpy(),
        prototypes.numpy(),
        boxes.numpy(),
        crop=(2, 0, 18, 16),
        image_size=(100, 90),
        threshold=0.5,
    )
    for index, mask in enumerate(expected):
        assert np.array_equal(runs.columns(index, (0, 0, 90, 100)), mask.T.numpy())


def test_a_pixel_that_has_the_threshold_itself_is_outside() -> None:
    """Between a cell of exactly 0 and one of exactly 1, above it and below it."""
    for prototypes in ([[[-200.0], [200.0]]], [[[200.0], [-200.0]]]):
        for pixels, inside in ((1, 0), (3, 1)):
            _, runs = masks_in_boxes(
                np.ones((1, 1), np.float32),
                np.array(prototypes, np.float32),
                np.array([[0, 0, 1, pixels]], np.float32),
                crop=(0, 0, 2, 1),
                image_size=(pixels, 1),
                threshold=0.5,
            )
            assert runs.areas().tolist() == [inside]


def test_the_crop_leaves_out_padding() -> None:
    assert prototype_crop((640, 640), (480, 640), (80, 0), (160, 160)) == (20, 0, 140, 160)
    assert prototype_crop((640, 640), (427, 640), (106, 0), (160, 160)) == (26, 0, 133, 160)
    # One row of pixels in the middle of an image as wide as the input.
    assert prototype_crop((640, 640), (1, 640), (319, 0), (160, 160)) == (80, 0, 81, 160)
