"""The fast way to show a scene through a map that only scales and moves.

The map is first brought to the nearest one that shows a whole number of canvas pixels on a whole
number of output pixels (`nearest_view`): its edges move by at most half a pixel of each. Then
canvas and warp are one resize, which OpenCV does separably: no warp, and no canvas but for the
part that is seen. Pixels are those of the warp through the same map, but for rounding.

Colours are changed where there are fewer pixels: before the picture is enlarged, or after it is
reduced. The grey around the tiles keeps its colour, which it also has in validation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from yolor_gp.data.augment.affine import Matrix
from yolor_gp.data.augment.hsv import Gains, is_neutral, jitter
from yolor_gp.data.augment.scene import Picture, Scene, Tile
from yolor_gp.data.augment.scratch import Scratch
from yolor_gp.data.clip import clip_instances
from yolor_gp.data.instances import Instances, concatenate
from yolor_gp.ops.letterbox import PADDING_GREY

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

    @property
    def offset(self) -> float:
        """Where canvas pixel 0 would lie in the output."""
        return self.begin - self.start * self.scale

    def place(self, edge: int) -> float:
        """Where an edge of the canvas's pixels lies in the output."""
        return edge * self.scale + self.offset

    def pixel(self, edge: int) -> int:
        """The nearest edge of output pixels within begin:end."""
        return min(max(round(self.place(edge)), self.begin), self.end)


@dataclass(frozen=True)
class View:
    """The part of a canvas that is seen, and where in the output; grey lies around it."""

    x: Span
    y: Span

    @property
    def matrix(self) -> Matrix:
        """The map from canvas to output, f64[3, 3]."""
        x, y = self.x, self.y
        matrix: Matrix = np.diag((x.scale, y.scale, 1.0))
        matrix[:2, 2] = x.offset, y.offset
        return matrix


def nearest_view(scene: Scene, matrix: Matrix, width: int, height: int) -> View | None:
    """What an output of this size shows of a scene; None when none of its tiles is seen.

    The matrix must be axis aligned, with positive scales.
    """
    boxes = np.array([_on_canvas(tile, scene.canvas) for tile in scene.tiles])
    # One pixel of grey around the tiles, so that their edges blend into it.
    left, top = (boxes[:, :2].min(axis=0) - 1).tolist()
    right, bottom = (boxes[:, 2:].max(axis=0) + 1).tolist()
    x = _span(left, right, matrix[0, 0].item(), matrix[0, 2].item(), width)
    y = _span(top, bottom, matrix[1, 1].item(), matrix[1, 2].item(), height)
    return None if x is None or y is None else View(x, y)


def place_scene(scene: Scene, view: View | None, gains: Gains, out: Picture) -> Instances:
    """Fill `out`, u8[side, side, 3]; return the objects seen there."""
    out.fill(PADDING_GREY)
    if view is None:
        return concatenate([])
    x, y = view.x, view.y
    recolours = not is_neutral(gains)
    enlarges = x.scale * y.scale > 1
    window = _window.picture(y.stop - y.start, x.stop - x.start)
    window.fill(PADDING_GREY)
    for source, target in _seen(scene, view, window):
        if recolours and enlarges:
            jitter(source, gains, dst=target)
        else:
            target[:] = source
    size = (x.end - x.begin, y.end - y.begin)
    shown = out[y.begin : y.end, x.begin : x.end]
    # Not INTER_LINEAR, which rounds down between its two passes.
    cv2.resize(window, size, dst=shown, interpolation=cv2.INTER_LINEAR_EXACT)
    if recolours and not enlarges:
        for tile in scene.tiles:
            left, top, right, bottom = _on_canvas(tile, scene.canvas)
            part = out[y.pixel(top) : y.pixel(bottom), x.pixel(left) : x.pixel(right)]
            jitter(part, gains, dst=part)
    return _objects(scene, view, out.shape[1], out.shape[0])


def _seen(scene: Scene, view: View, window: Picture) -> Iterator[tuple[Picture, Picture]]:
    """The part of each tile that is seen, and its place in the window."""
    x, y = view.x, view.y
    for tile in scene.tiles:
        left, top, right, bottom = _on_canvas(tile, scene.canvas)
        left, right = max(left, x.start), min(right, x.stop)
        top, bottom = max(top, y.start), min(bottom, y.stop)
        if left < right and top < bottom:
            rows, columns = slice(top - tile.top, bottom - tile.top), slice(left - tile.left, None)
            part = window[top - y.start : bottom - y.start, left - x.start : right - x.start]
            yield tile.image[rows, columns][:, : right - left], part


def _objects(scene: Scene, view: View, width: int, height: int) -> Instances:
    x, y = view.x, view.y
    parts = []
    for tile in scene.tiles:
        scale = (tile.scale[0] * x.scale, tile.scale[1] * y.scale)
        parts.append(tile.instances.transform(scale, (x.place(tile.left), y.place(tile.top))))
    left, right = max(x.offset, 0.0), min(x.place(scene.canvas), width)
    top, bottom = max(y.offset, 0.0), min(y.place(scene.canvas), height)
    return clip_instances(concatenate(parts), (left, top, right, bottom))


def _on_canvas(tile: Tile, canvas: int) -> tuple[int, int, int, int]:
    """left, top, right, bottom of what the canvas holds of a tile."""
    height, width = tile.size
    right, bottom = min(tile.left + width, canvas), min(tile.top + height, canvas)
    return max(tile.left, 0), max(tile.top, 0), right, bottom


def _span(first: int, last: int, gain: float, move: float, limit: int) -> Span | None:
    begin = round(max(first * gain + move, 0))
    end = round(min(last * gain + move, limit))
    if begin >= end:
        return None
    start = min(max(round((begin - move) / gain), first), last - 1)
    stop = min(max(round((end - move) / gain), start + 1), last)
    return Span(start, stop, begin, end)
