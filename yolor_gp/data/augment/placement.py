"""The fast way to show a scene through a map that only scales and moves.

Edges are brought to the nearest edges between output pixels. Then a reduced tile is shown by one
resize, which OpenCV does separably, straight to its place: no canvas, no warp. No output pixel
reaches across a tile's edge, so that the pixels are those of canvas and warp through the tile's own
map, but for rounding. Enlarged, they do reach across: there the part of the canvas that is seen,
which is smaller than the output, is drawn and resized as one, through one map for all tiles.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from yolor_gp.data.augment.affine import Matrix
from yolor_gp.data.augment.scene import Picture, Scene, Tile
from yolor_gp.data.labels.instances import Instances, clip_instances, concatenate
from yolor_gp.ops.image_size import ImageSize
from yolor_gp.ops.letterbox import PADDING_GREY


class Scratch:
    """One picture a thread. Its content lasts until the same thread asks again."""

    def __init__(self) -> None:
        self._local = threading.local()

    def picture(self, height: int, width: int) -> Picture:
        """u8[height, width, 3] of any content."""
        needed = height * width * 3
        memory: Picture | None = getattr(self._local, "memory", None)
        if memory is None or memory.size < needed:
            memory = self._local.memory = np.empty(needed, np.uint8)
        return memory[:needed].reshape(height, width, 3)


_window = Scratch()


@dataclass(frozen=True)
class Span:
    """Along one axis: canvas pixels start:stop fill output pixels begin:end."""

    start: int
    stop: int
    begin: int
    end: int

    @property
    def scale(self) -> float:
        """Output pixels per canvas pixel."""
        return (self.end - self.begin) / (self.stop - self.start)

    def place(self, edge: int) -> float:
        """Where an edge of the canvas's pixels lies in the output."""
        return self.begin + (edge - self.start) * self.scale


@dataclass(frozen=True)
class View:
    """A rectangle of the canvas, and the one of the output that shows it."""

    x: Span
    y: Span

    @property
    def pixels(self) -> int:
        """Of the output."""
        return (self.x.end - self.x.begin) * (self.y.end - self.y.begin)

    @property
    def matrix(self) -> Matrix:
        """The map from canvas to output, f64[3, 3]."""
        matrix: Matrix = np.diag((self.x.scale, self.y.scale, 1.0))
        matrix[:2, 2] = self.x.place(0), self.y.place(0)
        return matrix


def place_scene(scene: Scene, matrix: Matrix, out: Picture, grey: int = PADDING_GREY) -> Instances:
    """Fill `out`, u8[height, width, 3], with grey around tiles; return the objects seen there.

    The matrix must be axis aligned, with positive scales.
    """
    size = ImageSize(out.shape[0], out.shape[1])
    views = nearest_views(scene, matrix, size)
    if _enlarges(matrix):
        parts = [(_seen(scene, view, grey), view) for view in views[:1] if view is not None]
    else:
        pairs = zip(scene.tiles, views, strict=True)
        parts = [(_part(tile, view), view) for tile, view in pairs if view is not None]
    if sum(view.pixels for _, view in parts) < size.pixels:
        out.fill(grey)
    for source, view in parts:
        x, y = view.x, view.y
        extent = (x.end - x.begin, y.end - y.begin)
        target = out[y.begin : y.end, x.begin : x.end]
        # Not INTER_LINEAR, which rounds down between its two passes.
        cv2.resize(source, extent, dst=target, interpolation=cv2.INTER_LINEAR_EXACT)
    return _objects(scene, views, matrix, size)


def nearest_views(scene: Scene, matrix: Matrix, size: ImageSize) -> list[View | None]:
    """Through which view an output of this size shows each tile; None: it is not seen."""
    boxes = [_on_canvas(tile, scene.canvas) for tile in scene.tiles]
    if not _enlarges(matrix):
        return [_view(box, matrix, size) for box in boxes]
    # One pixel of grey around the tiles, so that their edges blend into it.
    corners = np.array(boxes)
    left, top = (corners[:, :2].min(axis=0) - 1).tolist()
    right, bottom = (corners[:, 2:].max(axis=0) + 1).tolist()
    return [_view((left, top, right, bottom), matrix, size)] * len(boxes)


def _enlarges(matrix: Matrix) -> bool:
    return bool(matrix[0, 0] * matrix[1, 1] > 1)


def _part(tile: Tile, view: View) -> Picture:
    rows = slice(view.y.start - tile.top, view.y.stop - tile.top)
    return tile.image[rows, view.x.start - tile.left : view.x.stop - tile.left]


def _seen(scene: Scene, view: View, grey: int) -> Picture:
    """The part of the canvas that is seen."""
    x, y = view.x, view.y
    window = _window.picture(y.stop - y.start, x.stop - x.start)
    window.fill(grey)
    for tile in scene.tiles:
        left, top, right, bottom = _on_canvas(tile, scene.canvas)
        left, right = max(left, x.start), min(right, x.stop)
        top, bottom = max(top, y.start), min(bottom, y.stop)
        if left < right and top < bottom:
            rows = slice(top - tile.top, bottom - tile.top)
            part = tile.image[rows, left - tile.left : right - tile.left]
            window[top - y.start : bottom - y.start, left - x.start : right - x.start] = part
    return window


def _objects(
    scene: Scene, views: Sequence[View | None], matrix: Matrix, size: ImageSize
) -> Instances:
    parts = []
    for tile, view in zip(scene.tiles, views, strict=True):
        if view is not None:
            x, y = view.x, view.y
            scale = (tile.scale[0] * x.scale, tile.scale[1] * y.scale)
            parts.append(tile.instances.transform(scale, (x.place(tile.left), y.place(tile.top))))
    canvas = _view((0, 0, scene.canvas.width, scene.canvas.height), matrix, size)
    if canvas is None:
        return concatenate([])
    visible = (canvas.x.begin, canvas.y.begin, canvas.x.end, canvas.y.end)
    return clip_instances(concatenate(parts), visible)


def _on_canvas(tile: Tile, canvas: ImageSize) -> tuple[int, int, int, int]:
    """left, top, right, bottom of what the canvas holds of a tile."""
    height, width = tile.size
    right, bottom = min(tile.left + width, canvas.width), min(tile.top + height, canvas.height)
    return max(tile.left, 0), max(tile.top, 0), right, bottom


def _view(box: tuple[int, int, int, int], matrix: Matrix, size: ImageSize) -> View | None:
    """What an output of this size shows of a rectangle of the canvas."""
    left, top, right, bottom = box
    x = _span(left, right, matrix[0, 0].item(), matrix[0, 2].item(), size.width)
    y = _span(top, bottom, matrix[1, 1].item(), matrix[1, 2].item(), size.height)
    return None if x is None or y is None else View(x, y)


def _span(first: int, last: int, gain: float, move: float, limit: int) -> Span | None:
    """The nearest whole pixels of first:last on both sides, at most half a pixel away on each."""
    begin = round(max(first * gain + move, 0))
    end = round(min(last * gain + move, limit))
    if begin >= end:
        return None
    start = min(max(round((begin - move) / gain), first), last - 1)
    stop = min(max(round((end - move) / gain), start + 1), last)
    return Span(start, stop, begin, end)
