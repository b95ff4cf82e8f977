"""The fast way to show a scene through a map that only scales and moves.

Canvas and warp become one resize per tile, straight into the output: five times as fast, as
OpenCV's resize is separable and no canvas of twice the side is filled. For that, what is visible
of a tile is rounded to whole pixels of the tile and of the output, which moves its edges by at
most half a pixel; labels follow the rounded placement exactly.

Colours are changed where there are fewer pixels: before a tile is enlarged, or after it is
reduced. The grey around the tiles keeps its colour, which it also has in validation.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2

from yolor_gp.data.augment.affine import Matrix
from yolor_gp.data.augment.hsv import Gains, is_neutral, jitter
from yolor_gp.data.augment.scene import Picture, Scene, Tile
from yolor_gp.data.clip import clip_instances
from yolor_gp.data.instances import Instances, concatenate
from yolor_gp.ops.letterbox import PADDING_GREY

Axes = tuple[tuple[float, float], tuple[float, float]]
"""For x and for y: output coordinate = canvas coordinate * first + second."""


@dataclass(frozen=True)
class Span:
    """Along one axis: source pixels start:stop fill output pixels begin:end."""

    start: int
    stop: int
    begin: int
    end: int

    @property
    def scale(self) -> float:
        """Output pixels per source pixel."""
        return (self.end - self.begin) / (self.stop - self.start)

    @property
    def offset(self) -> float:
        """Where source pixel 0 would lie in the output."""
        return self.begin - self.start * self.scale


def place_scene(scene: Scene, matrix: Matrix, gains: Gains, out: Picture) -> Instances:
    """Fill `out`, u8[side, side, 3]; return the objects seen there.

    The matrix must be axis aligned, with positive scales.
    """
    out.fill(PADDING_GREY)
    parts = []
    axes = (matrix[0, 0].item(), matrix[0, 2].item()), (matrix[1, 1].item(), matrix[1, 2].item())
    for tile in scene.tiles:
        spans = tile_spans(tile, scene.canvas, axes, out.shape[1], out.shape[0])
        if spans is None:
            continue
        x, y = spans
        source = tile.image[y.start : y.stop, x.start : x.stop]
        _resize(source, gains, out[y.begin : y.end, x.begin : x.end])
        scale = (tile.scale[0] * x.scale, tile.scale[1] * y.scale)
        parts.append(tile.instances.transform(scale, (x.offset, y.offset)))
    left, top, right, bottom = _canvas_in_output(scene, axes)
    visible = (max(left, 0), max(top, 0), min(right, out.shape[1]), min(bottom, out.shape[0]))
    return clip_instances(concatenate(parts), visible)


def _resize(source: Picture, gains: Gains, target: Picture) -> None:
    """Fill `target` with `source`, resized and recoloured."""
    height, width = target.shape[:2]
    enlarges = source.size < target.size
    if enlarges and not is_neutral(gains):
        source = jitter(source, gains)
    cv2.resize(source, (width, height), dst=target, interpolation=cv2.INTER_LINEAR)
    if not enlarges and not is_neutral(gains):
        jitter(target, gains, dst=target)


def tile_spans(
    tile: Tile, canvas: int, axes: Axes, width: int, height: int
) -> tuple[Span, Span] | None:
    """(x, y) placements of a tile in an output of width x height; None when it is not seen."""
    x = _span(tile.left, tile.size[1], canvas, *axes[0], width)
    y = _span(tile.top, tile.size[0], canvas, *axes[1], height)
    return None if x is None or y is None else (x, y)


def _span(
    offset: int, length: int, canvas: int, gain: float, move: float, limit: int
) -> Span | None:
    first, last = max(offset, 0), min(offset + length, canvas)
    begin = round(max(first * gain + move, 0))
    end = round(min(last * gain + move, limit))
    if begin >= end:
        return None
    start = min(max(round((begin - move) / gain) - offset, first - offset), last - offset - 1)
    stop = min(max(round((end - move) / gain) - offset, start + 1), last - offset)
    return Span(start, stop, begin, end)


def _canvas_in_output(scene: Scene, axes: Axes) -> tuple[int, int, int, int]:
    """The canvas's edges in the output, rounded as `_span` rounds them."""
    (gain_x, move_x), (gain_y, move_y) = axes
    return (
        round(move_x),
        round(move_y),
        round(scene.canvas * gain_x + move_x),
        round(scene.canvas * gain_y + move_y),
    )
