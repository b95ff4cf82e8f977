"""Where pixel columns cross a threshold on values that are upsampled bilinearly from cells.

Between the centres of four neighbouring cells, a quad, an upsampled value lies between theirs. So
where all four are on one side of the threshold, all pixels are; and elsewhere the value follows a
straight line down each pixel column, and crosses the threshold once or not at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Axis:
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
    def sampling(cls, begin: float, end: float, pixels: int) -> Axis:
        """`pixels` spread evenly from `begin` to `end`, which may cut cells."""
        cells = slice(math.floor(begin), math.ceil(end))
        count, scale = cells.stop - cells.start, (end - begin) / pixels
        shift = begin - cells.start - 0.5
        position = (np.arange(pixels, dtype=np.float32) + np.float32(0.5)) * np.float32(scale)
        position = np.maximum(position + np.float32(shift), 0)
        lower = np.minimum(position.astype(np.int64), count - 1)
        first = np.searchsorted(lower, np.arange(-1, count + 2))
        return cls(cells, lower, position - lower.astype(np.float32), first, scale, shift)

    def cells_of(self, begin: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
        """i64[N, 2]: the first cell that pixels begin:end are made of, and the one after the last.

        The pixels must be some.
        """
        return np.stack((self.lower[begin], self.lower[end - 1] + 2), axis=1)


@dataclass(frozen=True)
class Group:
    """Some masks: their numbers i64[N], coefficients f32[N, K], and windows i64[N, 4] (not empty).

    rows, columns: i64[N, 2], the cells that the windows are made of (see `Axis.cells_of`).
    """

    masks: NDArray[np.int64]
    coefficients: NDArray[np.float32]
    windows: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


def crossings(
    group: Group,
    cells: NDArray[np.float32],
    axes: tuple[Axis, Axis],
    image_size: tuple[int, int],
    threshold: np.float32,
) -> NDArray[np.int64]:
    """Where masks begin and end, as keys of `runs_of_keys`.

    cells: f32[w + 1, h + 1, K] prototypes, the last of each axis twice; axes: rows, columns.
    """
    probability = _probability(group, cells)
    strip, row = _mixed(probability > threshold, group)
    quads = _quads(group, axes, image_size, strip, row)
    upper = _Edge.between(probability, strip, row)
    lower = _Edge.between(probability, strip, row + 1)
    keys = [np.zeros(0, np.int64)]
    for step in range(int(quads.pixels.max(initial=0))):
        weight = axes[1].weight.take(quads.first + step, mode="clip")
        begin, end = upper.at(weight), lower.at(weight)
        ends_above = end > threshold
        crossed = np.flatnonzero(((begin > threshold) != ends_above) & (step < quads.pixels))
        begin, end = begin[crossed], end[crossed]
        share = (threshold - begin) / (end - begin)
        rows = quads.pixel_rows(crossed, share / axes[0].scale, ends_above[crossed])
        keys.append(rows + quads.key[crossed] + step * image_size[0])
    return np.concatenate(keys)


def _probability(group: Group, cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities at the cells of all masks: f32[S, 1 + most rows + 1], a strip a cell column.

    The strips of a mask follow each other; 0, which no threshold is below, surrounds their values.
    """
    most = int((group.rows[:, 1] - group.rows[:, 0]).max())
    strips = int((group.columns[:, 1] - group.columns[:, 0]).sum())
    values = np.full((strips, most + 2), -np.inf, dtype=np.float32)
    end = 0
    bounds = np.concatenate((group.columns, group.rows), axis=1).tolist()
    for mask, (left, right, top, bottom) in zip(group.coefficients, bounds, strict=True):
        begin, end = end, end + right - left
        # As a product with a matrix this would be long enough for BLAS to start threads, which
        # costs many times the product where other processes want the cores too.
        np.matmul(cells[left:right, top:bottom], mask, out=values[begin:end, 1 : 1 + bottom - top])
    np.negative(values, out=values)
    with np.errstate(over="ignore"):
        np.exp(values, out=values)
    values += 1
    return np.reciprocal(values, out=values)


def _mixed(above: NDArray[np.bool_], group: Group) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Strip and row of the upper left cell of every quad that is not all on one side."""
    down = above[:, 1:] != above[:, :-1]
    mixed = above[1:, :-1] != above[:-1, :-1]
    mixed |= down[1:]
    mixed |= down[:-1]
    # From one mask to the next there is no quad.
    mixed[np.cumsum(group.columns[:-1, 1] - group.columns[:-1, 0]) - 1] = False
    quad = np.flatnonzero(mixed)
    strip = quad // mixed.shape[1]  # quicker than by `np.divmod` or `np.nonzero`
    return strip, quad - strip * mixed.shape[1]


@dataclass(frozen=True)
class _Quads:
    """first, pixels: the first pixel column and how many; origin: the pixel row, with a fraction,
    at which the upper edge lies; top, bottom: the pixel rows between which a crossing may lie, both
    included; key: of the first pixel column's row 0.
    """

    first: NDArray[np.int64]
    pixels: NDArray[np.int64]
    origin: NDArray[np.floating[Any]]
    top: NDArray[np.int64]
    bottom: NDArray[np.int64]
    key: NDArray[np.int64]

    def pixel_rows(
        self,
        which: NDArray[np.int64],
        below_edge: NDArray[np.floating[Any]],
        ends_above: NDArray[np.bool_],
    ) -> NDArray[np.int64]:
        """The first pixel row on the lower edge's side of a crossing, `below_edge` pixels on.

        A pixel that has the threshold itself is not above it.
        """
        exact = self.origin[which] + below_edge
        row = np.where(ends_above, np.floor(exact) + 1, np.ceil(exact)).astype(np.int64)
        return np.minimum(np.maximum(row, self.top[which]), self.bottom[which])


def _quads(
    group: Group,
    axes: tuple[Axis, Axis],
    image_size: tuple[int, int],
    strip: NDArray[np.int64],
    row: NDArray[np.int64],
) -> _Quads:
    rows, columns = axes
    height, width = image_size
    left, top, right, bottom = group.windows.T
    # Of every strip:
    widths = group.columns[:, 1] - group.columns[:, 0]
    mask = np.repeat(np.arange(len(widths)), widths)
    cell = np.arange(len(mask)) + (group.columns[:, 0] - np.cumsum(widths) + widths)[mask]
    first = np.maximum(columns.first[cell + 1], left[mask])
    pixels = np.minimum(columns.first[cell + 2], right[mask]) - first
    key = group.masks[mask] * (height * width + 1) + first * height
    # Of every quad; row 0 is what surrounds a strip's values.
    mask = mask[strip]
    cell = row + (group.rows[:, 0] - 1)[mask]
    top, bottom = top[mask], bottom[mask]
    return _Quads(
        first[strip],
        pixels[strip],
        (cell - rows.shift) / rows.scale - 0.5,
        np.minimum(np.maximum(rows.first[cell + 1], top), bottom),
        np.minimum(np.maximum(rows.first[cell + 2], top), bottom),
        key[strip],
    )


@dataclass(frozen=True)
class _Edge:
    """The upper or lower edge of each quad: left + weight * rise.

    For weights below 1 that lies between both ends, also rounded to float32: so on the side of the
    threshold that the quads around take the edge for, and changes come in pairs.
    """

    left: NDArray[np.float32]
    rise: NDArray[np.float32]

    @classmethod
    def between(
        cls, probability: NDArray[np.float32], strip: NDArray[np.int64], row: NDArray[np.int64]
    ) -> _Edge:
        """From the cells at `row` of `strip` to those of the next strip."""
        index = strip * probability.shape[1] + row
        left = probability.ravel()[index]
        index += probability.shape[1]
        return cls(left, probability.ravel()[index] - left)

    def at(self, weight: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values at one pixel column of each quad."""
        value: NDArray[np.float32] = self.rise * weight
        value += self.left
        return value
