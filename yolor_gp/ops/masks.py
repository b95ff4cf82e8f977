"""Instance masks drawn from prototypes inside their boxes only, without ever drawing the pixels.

A mask is sigmoid(coefficients @ prototypes) upsampled bilinearly to the image (half-pixel centres,
`align_corners=False`), where it exceeds a threshold. Down a pixel column, the upsampled value is a
straight line from one prototype cell to the next: it crosses the threshold at most once between two
cells, and only where it is above in one of them. So only pixels next to crossings are computed, and
the rest follows. The result is the runs of the mask, which is what its RLE is made of.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from yolor_gp.ops.runs import Runs, join_changes, runs_of

Crop: TypeAlias = tuple[float, float, float, float]
"""top, left, bottom, right in cells of the prototypes, where 0 is the outer edge of the first."""

_STRIP_VALUES = 1 << 18
"""How many values of strips (see `_strips`) are held at a time: 1 MB, so that caches hold them."""


def prototype_crop(
    output_size: tuple[int, int],
    scaled_size: tuple[int, int],
    offset: tuple[int, int],
    prototype_size: tuple[int, ...],
) -> Crop:
    """The part of the prototypes that shows the image and not the letterbox's padding.

    Sizes are (height, width), `offset` is (top, left) of the scaled image in the padded one. Ends
    lie on the nearest whole cells, as padding is cut off cell by cell in the field (which rounds
    down both ends, and shifts masks by that): of 107 px, 26.75 cells of four, 27 go. A cell of
    which half shows the image stays, and at least one cell does.
    """
    (top, bottom), (left, right) = (
        _nearest_cells(begin * cells / pixels, (begin + length) * cells / pixels, cells)
        for begin, length, cells, pixels in zip(
            offset, scaled_size, prototype_size, output_size, strict=True
        )
    )
    return top, left, bottom, right


def _nearest_cells(begin: float, end: float, cells: int) -> tuple[int, int]:
    first = min(math.ceil(begin - 0.5), cells - 1)
    return first, min(max(math.floor(end + 0.5), first + 1), cells)


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


def masks_in_boxes(
    coefficients: NDArray[np.float32],
    prototypes: NDArray[np.float32],
    boxes: NDArray[np.float32],
    *,
    crop: Crop,
    image_size: tuple[int, int],
    threshold: float,
) -> tuple[NDArray[np.int64], Runs]:
    """Draw N masks inside their boxes.

    coefficients: f32[N, K]; prototypes: f32[K, h, w]; boxes: f32[N, 4] xyxy in pixels of the image
    of `image_size` (height, width), which `crop` of the prototypes shows.
    Returns the windows i64[N, 4] of `box_windows` and the masks, which are set where the upsampled
    probability exceeds `threshold`.
    """
    windows = box_windows(boxes, image_size)
    top, left, bottom, right = crop
    rows = _Axis.sampling(top, bottom, image_size[0])
    columns = _Axis.sampling(left, right, image_size[1])
    shown = prototypes[:, rows.cells, columns.cells].transpose(2, 1, 0)
    cells = np.pad(shown, ((0, 1), (0, 1), (0, 0)), mode="edge")
    changes = [np.zeros(0, np.int64)] * len(windows)
    for indices in _groups(windows, rows):
        strips = _strips(coefficients[indices], cells, windows[indices], rows, columns)
        found = _changes(strips, windows[indices], rows, np.float32(threshold), image_size)
        for index, one in zip(indices.tolist(), found, strict=True):
            changes[index] = one
    return windows, runs_of(changes, image_size)


@dataclass(frozen=True)
class _Axis:
    """Bilinear sampling of one axis: value = cell[lower] * (1 - weight) + cell[lower + 1] * weight.

    cells: those sampled, counted from 0 in what follows; the last stands twice, so that there
    always is a next. lower: i64[pixels]; weight: f32[pixels]; first: i64[cells + 3], the first
    pixel whose `lower` is cell - 1 or later; pixel p lies at (p + 0.5) * scale + shift.
    """

    cells: slice
    lower: NDArray[np.int64]
    weight: NDArray[np.float32]
    first: NDArray[np.int64]
    scale: float
    shift: float

    @classmethod
    def sampling(cls, begin: float, end: float, pixels: int) -> _Axis:
        """`pixels` spread evenly from `begin` to `end`, which may cut cells."""
        cells = slice(math.floor(begin), math.ceil(end))
        count, scale = cells.stop - cells.start, (end - begin) / pixels
        shift = begin - cells.start - 0.5
        position = (np.arange(pixels, dtype=np.float32) + np.float32(0.5)) * np.float32(scale)
        position = np.maximum(position + np.float32(shift), 0)
        lower = np.minimum(position.astype(np.int64), count - 1)
        first = np.searchsorted(lower, np.arange(-1, count + 2))
        return cls(cells, lower, position - lower.astype(np.float32), first, scale, shift)


def _groups(windows: NDArray[np.int64], rows: _Axis) -> Iterator[NDArray[np.int64]]:
    """The masks that have pixels, in groups of like height whose strips are few enough."""
    width, height = (windows[:, 2:] - windows[:, :2]).T
    drawn = np.flatnonzero((width > 0) & (height > 0))
    nodes = rows.lower[windows[drawn, 3] - 1] - rows.lower[windows[drawn, 1]] + 4
    order = np.argsort(nodes, kind="stable")
    sizes = zip(width[drawn[order]].tolist(), nodes[order].tolist(), strict=True)
    begin, strips = 0, 0
    for position, (columns, most) in enumerate(sizes):
        strips += columns
        if position > begin and strips * most > _STRIP_VALUES:
            yield drawn[order[begin:position]]
            begin, strips = position, columns
    if begin < len(order):
        yield drawn[order[begin:]]


def _strips(
    coefficients: NDArray[np.float32],
    cells: NDArray[np.float32],
    windows: NDArray[np.int64],
    rows: _Axis,
    columns: _Axis,
) -> NDArray[np.float32]:
    """Probabilities upsampled in x only: a strip per pixel column of every window, one by one.

    cells: f32[w + 1, h + 1, K]. Returns f32[sum of widths, 1 + most cells + 1]; a strip's values
    start at index 1, what surrounds them is -1: below any threshold.
    """
    left, top, right, bottom = windows.T
    first_row, last_row = rows.lower[top], rows.lower[bottom - 1] + 2
    first_column, last_column = columns.lower[left], columns.lower[right - 1] + 2
    starts = np.concatenate(([0], np.cumsum(right - left)))
    strips = np.empty((int(starts[-1]), int((last_row - first_row).max()) + 2), dtype=np.float32)
    strips[:, 0] = -1
    bounds = (left, right, first_row, last_row, first_column, last_column, starts[:-1], starts[1:])
    weight = columns.weight[:, None]
    with np.errstate(over="ignore"):
        for mask, (x1, x2, row1, row2, column1, column2, begin, end) in zip(
            coefficients, np.stack(bounds, axis=1).tolist(), strict=True
        ):
            logits = cells[column1:column2, row1:row2] @ mask
            probability = 1 / (1 + np.exp(-logits))
            # As a product with a matrix this would be long enough for BLAS to start threads, which
            # costs many times the product where other processes want the cores too.
            lower = columns.lower[x1:x2] - column1
            low, high = probability.take(lower, axis=0), probability.take(lower + 1, axis=0)
            high -= low
            high *= weight[x1:x2]
            values = strips[begin:end]
            np.add(low, high, out=values[:, 1 : 1 + row2 - row1])
            values[:, 1 + row2 - row1 :] = -1
    return strips


def _changes(
    strips: NDArray[np.float32],
    windows: NDArray[np.int64],
    rows: _Axis,
    threshold: np.float32,
    image_size: tuple[int, int],
) -> list[NDArray[np.int64]]:
    """Of each mask of a group, where it begins and ends (see `Runs`)."""
    height, width = image_size
    left, top, right, bottom = windows.T
    mask = np.repeat(np.arange(len(windows)), right - left)
    starts = np.cumsum(right - left) - (right - left)
    column = np.arange(len(strips)) + (left - starts)[mask]
    # One number per mask and position keeps all masks apart in one sorted array.
    whole = height * width
    origin = mask * (whole + 1) + column * height

    values = strips.reshape(-1)
    above = values > threshold
    node = np.flatnonzero(above[1:] != above[:-1])
    strip = node // strips.shape[1]
    # A strip's first value, after the -1 before it, is that of the cell `lower[top]`.
    cell = node - strip * strips.shape[1] + (rows.lower[top] - 1)[mask][strip]
    row = _crossings(values[node], values[node + 1], cell, rows, threshold)
    # Steps from and to the -1 around a strip lie beyond its window.
    row = np.clip(row, top[mask][strip], bottom[mask][strip])

    keys = join_changes(origin[strip] + row)
    owner = keys // (whole + 1)
    position = keys - owner * (whole + 1)
    # A mask that is set to the very end has no change there.
    inner = position < whole
    position = position[inner]
    ends = np.cumsum(np.bincount(owner[inner], minlength=len(windows))).tolist()
    return [position[begin:end] for begin, end in pairwise([0, *ends])]


def _crossings(
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    cell: NDArray[np.int64],
    rows: _Axis,
    threshold: np.float32,
) -> NDArray[np.int64]:
    """The first pixel row between `cell` and the next that is on the side of `high`."""
    first, last = rows.first[cell + 1], rows.first[cell + 2]
    exact = (cell + (threshold - low) / (high - low) - rows.shift) / rows.scale - 0.5
    # Right up to rounding; which side the rows next to it are on is settled by their values.
    begin = np.clip(exact.astype(np.int64), first, last)
    row = begin.copy()
    starts_above = low > threshold
    for candidate in (begin, begin + 1):
        weight = rows.weight.take(candidate, mode="clip")
        above = low * (1 - weight) + high * weight > threshold
        row += (above == starts_above) & (candidate < last)
    return row
