"""All labels of a data set in a few flat arrays.

No Python object per label: a million of them cost nothing to share between workers, and memory
does not grow as reference counts are touched.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolor_gp.data.instances import Instances

SCHEMA = 1
"""Raise this when the arrays change meaning, so that caches of older versions are not read."""

_ARRAYS = (
    "image_ids", "sizes", "path_bytes", "path_ends", "object_ends", "boxes", "labels", "even_odd",
    "ring_ends", "point_ends", "points",
)  # fmt: skip


@dataclass(frozen=True)
class AnnotationTable:
    """N images, A objects, R rings, P points; everything sorted by image.

    image_ids: i64[N]; sizes: i32[N, 2] height, width; path_bytes, path_ends: image paths in UTF-8;
    object_ends: i64[N], where an image's objects end; boxes: f32[A, 4] xyxy pixels; labels: i32[A];
    even_odd: bool[A] (see `Instances`); ring_ends: i64[A]; point_ends: i64[R]; points: f32[P, 2].
    """

    image_ids: NDArray[np.int64]
    sizes: NDArray[np.int32]
    path_bytes: NDArray[np.uint8]
    path_ends: NDArray[np.int64]
    object_ends: NDArray[np.int64]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int32]
    even_odd: NDArray[np.bool_]
    ring_ends: NDArray[np.int64]
    point_ends: NDArray[np.int64]
    points: NDArray[np.float32]
    category_ids: tuple[int, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.image_ids)

    @cached_property
    def has_outlines(self) -> bool:
        """Whether objects have outlines (then all have)."""
        return len(self.point_ends) > 0

    def path(self, index: int) -> str:
        """The path of an image."""
        begin, end = _span(self.path_ends, index)
        return bytes(self.path_bytes[begin:end]).decode()

    def size(self, index: int) -> tuple[int, int]:
        """(height, width) of an image in pixels."""
        height, width = self.sizes[index].tolist()
        return height, width

    def instances(self, index: int) -> Instances:
        """The objects of an image in its own pixels."""
        first, last = _span(self.object_ends, index)
        rings = _lengths(self.ring_ends, first, last)
        first_ring, last_ring = (
            _range_start(self.ring_ends, first),
            _range_start(self.ring_ends, last),
        )
        begin = _range_start(self.point_ends, first_ring)
        end = _range_start(self.point_ends, last_ring)
        return Instances(
            self.boxes[first:last],
            self.labels[first:last].astype(np.int64),
            self.points[begin:end],
            _lengths(self.point_ends, first_ring, last_ring),
            rings,
            self.even_odd[first:last],
        )

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What `array_file.write_arrays` takes."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        return arrays, {"category_ids": list(self.category_ids), "names": list(self.names)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], notes: dict[str, Any]) -> AnnotationTable:
        """What `array_file.read_arrays` gives. Raises `KeyError` when something is missing."""
        return cls(
            **{name: arrays[name] for name in _ARRAYS},
            category_ids=tuple(notes["category_ids"]),
            names=tuple(notes["names"]),
        )


@dataclass
class TableBuilder:
    """Collects images and objects in typed arrays; `build` makes the table."""

    names: Sequence[str]
    category_ids: Sequence[int]
    image_ids: array[int] = field(default_factory=lambda: array("q"))
    sizes: array[int] = field(default_factory=lambda: array("i"))
    paths: bytearray = field(default_factory=bytearray)
    path_ends: array[int] = field(default_factory=lambda: array("q"))
    object_ends: array[int] = field(default_factory=lambda: array("q"))
    boxes: array[float] = field(default_factory=lambda: array("f"))
    labels: array[int] = field(default_factory=lambda: array("i"))
    even_odd: bytearray = field(default_factory=bytearray)
    ring_ends: array[int] = field(default_factory=lambda: array("q"))
    point_ends: array[int] = field(default_factory=lambda: array("q"))
    points: array[float] = field(default_factory=lambda: array("f"))
    has_outlines: bool = False

    def add_object(
        self,
        label: int,
        box: tuple[float, float, float, float],
        rings: Sequence[Sequence[float]] = (),
        even_odd: bool = False,
    ) -> None:
        """Add an object (box xyxy; rings as x, y, x, y, ...) to the image being collected.

        Without rings its box stands in for the outline, should others of the set have one.
        """
        left, top, right, bottom = box
        self.labels.append(label)
        self.boxes.extend(box)
        self.even_odd.append(even_odd)
        self.has_outlines = self.has_outlines or len(rings) > 0
        for ring in rings or ((left, top, right, top, right, bottom, left, bottom),):
            self.points.extend(ring)
            self.point_ends.append(len(self.points) // 2)
        self.ring_ends.append(len(self.point_ends))

    def end_image(self, image_id: int, size: tuple[int, int], path: str) -> None:
        """Say which image (size: height, width) the objects added since the last one belong to."""
        self.image_ids.append(image_id)
        self.sizes.extend(size)
        self.paths += path.encode()
        self.path_ends.append(len(self.paths))
        self.object_ends.append(len(self.labels))

    def build(self) -> AnnotationTable:
        """The table; without any outline given, it has none."""
        outlines = self.has_outlines
        objects = len(self.labels)
        return AnnotationTable(
            image_ids=np.array(self.image_ids, np.int64),
            sizes=np.array(self.sizes, np.int32).reshape(-1, 2),
            path_bytes=np.frombuffer(bytes(self.paths), np.uint8),
            path_ends=np.array(self.path_ends, np.int64),
            object_ends=np.array(self.object_ends, np.int64),
            boxes=np.array(self.boxes, np.float32).reshape(-1, 4),
            labels=np.array(self.labels, np.int32),
            even_odd=np.frombuffer(bytes(self.even_odd), np.bool_),
            ring_ends=np.array(self.ring_ends if outlines else [0] * objects, np.int64),
            point_ends=np.array(self.point_ends if outlines else [], np.int64),
            points=np.array(self.points if outlines else [], np.float32).reshape(-1, 2),
            category_ids=tuple(self.category_ids),
            names=tuple(self.names),
        )


def _range_start(ends: NDArray[np.int64], index: int) -> int:
    return int(ends[index - 1]) if index else 0


def _span(ends: NDArray[np.int64], index: int) -> tuple[int, int]:
    return _range_start(ends, index), int(ends[index])


def _lengths(ends: NDArray[np.int64], first: int, last: int) -> NDArray[np.int64]:
    if first == last:
        return np.zeros(0, np.int64)
    lengths = ends[first:last].copy()
    lengths[1:] -= ends[first : last - 1]
    lengths[0] -= _range_start(ends, first)
    return lengths
