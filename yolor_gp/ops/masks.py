"""Instance masks drawn from prototypes inside their boxes only.

A mask is sigmoid(coefficients @ prototypes) upsampled bilinearly to the image. Nine tenths of a
full-size mask lie outside its box and are thrown away, so only the box's window is computed, with
the values that upsampling the whole would give it (half-pixel centres, `align_corners=False`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Crop: TypeAlias = tuple[int, int, int, int]
"""top, left, bottom, right in cells of the prototypes, bottom and right exclusive."""


def prototype_crop(
    output_size: tuple[int, int],
    scaled_size: tuple[int, int],
    offset: tuple[int, int],
    prototype_size: tuple[int, ...],
) -> Crop:
    """The cells of the prototypes that show the image and not the letterbox's padding.

    Sizes are (height, width), `offset` is (top, left) of the scaled image in the padded one.
    Partly padded cells follow the field's rule: both ends are rounded down.
    """
    ends = []
    for axis in (0, 1):
        cells = prototype_size[axis]
        first = offset[axis] * cells // output_size[axis]
        last = (offset[axis] + scaled_size[axis]) * cells // output_size[axis]
        first = min(first, cells - 1)
        ends.append((first, min(max(last, first + 1), cells)))
    (top, bottom), (left, right) = ends
    return top, left, bottom, right


def box_windows(boxes: NDArray[np.float32], image_size: tuple[int, int]) -> NDArray[np.int64]:
    """The pixels x with left <= x < right, likewise y, of xyxy boxes: i64[N, 4], right exclusive.

    Windows of boxes that hold no pixel are empty (right == left or bottom == top).
    """
    height, width = image_size
    windows = np.ceil(np.nan_to_num(boxes.astype(np.float64), nan=0.0))
    limits = np.array((width, height, width, height), dtype=np.float64)
    windows = np.clip(windows, 0.0, limits).astype(np.int64)
    windows[:, 2:] = np.maximum(windows[:, 2:], windows[:, :2])
    return windows


@dataclass(frozen=True)
class _Axis:
    """Bilinear sampling of one axis: value = cell[lower] * (1 - weight) + cell[upper] * weight."""

    lower: NDArray[np.int64]
    upper: NDArray[np.int64]
    weight: NDArray[np.float32]


def _axis(start: int, stop: int, output: int) -> _Axis:
    """How `output` pixels sample the cells start..stop; indices count from 0 of the whole axis."""
    scale = np.float32((stop - start) / output)
    position = (np.arange(output, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    position = np.maximum(position, np.float32(0))
    lower = np.minimum(position.astype(np.int64), stop - start - 1)
    upper = np.minimum(lower + 1, stop - start - 1)
    return _Axis(lower + start, upper + start, position - lower.astype(np.float32))


def masks_in_boxes(
    coefficients: NDArray[np.float32],
    prototypes: NDArray[np.float32],
    boxes: NDArray[np.float32],
    *,
    crop: Crop,
    image_size: tuple[int, int],
    threshold: float,
) -> tuple[NDArray[np.int64], tuple[NDArray[np.bool_], ...]]:
    """Draw N masks inside their boxes.

    coefficients: f32[N, K]; prototypes: f32[K, h, w]; boxes: f32[N, 4] xyxy in pixels of the image
    of `image_size` (height, width), which `crop` of the prototypes shows.
    Returns windows i64[N, 4] and per mask bool[width, height] (see `BoxMasks`), true where the
    upsampled probability exceeds `threshold`.
    """
    windows = box_windows(boxes, image_size)
    top, left, bottom, right = crop
    rows = _axis(top, bottom, image_size[0])
    columns = _axis(left, right, image_size[1])
    drawn = tuple(
        _draw(coefficients[index], prototypes, rows, columns, windows[index].tolist(), threshold)
        for index in range(len(windows))
    )
    return windows, drawn


def _draw(
    coefficients: NDArray[np.float32],
    prototypes: NDArray[np.float32],
    rows: _Axis,
    columns: _Axis,
    window: list[int],
    threshold: float,
) -> NDArray[np.bool_]:
    left, top, right, bottom = window
    if right <= left or bottom <= top:
        return np.zeros((right - left, bottom - top), dtype=np.bool_)
    first_row, last_row = rows.lower[top], rows.upper[bottom - 1] + 1
    first_column, last_column = columns.lower[left], columns.upper[right - 1] + 1
    cells = prototypes[:, first_row:last_row, first_column:last_column]
    shape = cells.shape[1:]
    logits = (coefficients @ cells.reshape(len(cells), -1)).reshape(shape)
    probability = 1 / (1 + np.exp(-logits))
    # Column-major from here on: the RLE wants columns, and so reads what is written in one sweep.
    narrow = _blend(probability.T, rows, first_row, top, bottom, axis=1)
    return _blend(narrow, columns, first_column, left, right, axis=0) > np.float32(threshold)


def _blend(
    values: NDArray[np.float32], axis_map: _Axis, offset: int, start: int, stop: int, axis: int
) -> NDArray[np.float32]:
    weight = axis_map.weight[start:stop]
    if axis == 0:
        weight = weight[:, None]
    low = values.take(axis_map.lower[start:stop] - offset, axis=axis)
    high = values.take(axis_map.upper[start:stop] - offset, axis=axis)
    low *= 1 - weight
    high *= weight
    low += high
    return low


def dense_masks(
    windows: NDArray[np.int64], columns: Sequence[NDArray[np.bool_]], image_size: tuple[int, int]
) -> NDArray[np.bool_]:
    """Masks in full size, bool[N, H, W], from windows i64[N, 4] and their bool[width, height]."""
    dense = np.zeros((len(columns), *image_size), dtype=np.bool_)
    for mask, (left, top, right, bottom), window in zip(
        dense, windows.tolist(), columns, strict=True
    ):
        mask[top:bottom, left:right] = window.T
    return dense
