"""All labels of a data set in a few flat arrays.

No Python object per label: a million of them cost nothing to share between workers, and memory
does not grow as reference counts are touched.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from yolor_gp.data.labels.array_file import read_arrays
from yolor_gp.data.labels.instances import Instances

SCHEMA = 2
"""Raise this when the arrays change meaning, so that caches of older versions are not read."""

_ARRAYS = (
    "image_ids", "sizes", "path_bytes", "path_ends", "object_ends", "ring_ends", "point_ends",
    "boxes", "labels", "even_odd", "object_rings", "ring_lengths", "points",
)  # fmt: skip


@dataclass(frozen=True)
class AnnotationTable:
    """N images, A objects, R rings, P points; everything sorted by image.

    image_ids: i64[N]; sizes: i32[N, 2] height, width; path_bytes, path_ends: image paths in UTF-8;
    object_ends, ring_ends, point_ends: i64[N], where those of an image end; boxes: f32[A, 4] xyxy
    pixels; labels: i64[A]; even_odd: bool[A]; object_rings: i64[A]; ring_lengths: i64[R];
    points: f32[P, 2] (see `Instances` for the last four).
    """

    image_ids: NDArray[np.int64]
    sizes: NDArray[np.int32]
    path_bytes: NDArray[np.uint8]
    path_ends: NDArray[np.int64]
    object_ends: NDArray[np.int64]
    ring_ends: NDArray[np.int64]
    point_ends: NDArray[np.int64]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    even_odd: NDArray[np.bool_]
    object_rings: NDArray[np.int64]
    ring_lengths: NDArray[np.int64]
    points: NDArray[np.float32]
    category_ids: tuple[int, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.image_ids)

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """Pickled as the file it is mapped from, while that is there: processes share it."""
        file: Path | None = self.__dict__.get("_file")
        if file is not None and file.is_file():
            return AnnotationTable.read, (file,)
        return super().__reduce_ex__(protocol)

    @classmethod
    def read(cls, file: Path) -> AnnotationTable:
        """The table in a file, mapped.

        Raises:
            OSError: When it cannot be read.
            ValueError: When it is damaged.
            KeyError: When an array is missing.
        """
        table = cls.from_arrays(*read_arrays(file))
        object.__setattr__(table, "_file", file)
        return table

    @cached_property
    def has_outlines(self) -> bool:
        """Whether objects have outlines (then all have)."""
        return len(self.ring_lengths) > 0

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
        objects = slice(*_span(self.object_ends, index))
        rings = slice(*_span(self.ring_ends, index))
        points = slice(*_span(self.point_ends, index))
        return Instances(
            self.boxes[objects],
            self.labels[objects],
            self.points[points],
            self.ring_lengths[rings],
            self.object_rings[objects],
            self.even_odd[objects],
        )

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What `array_file.write_arrays` takes."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        return arrays, {"category_ids": list(self.category_ids), "names": list(self.names)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], notes: dict[str, Any]) -> AnnotationTable:
        """What `array_file.read_arrays` gives.

        Raises:
            KeyError: When one is missing.
        """
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
    ring_ends: array[int] = field(default_factory=lambda: array("q"))
    point_ends: array[int] = field(default_factory=lambda: array("q"))
    boxes: array[float] = field(default_factory=lambda: array("f"))
    labels: array[int] = field(default_factory=lambda: array("q"))
    even_odd: bytearray = field(default_factory=bytearray)
    object_rings: array[int] = field(default_factory=lambda: array("q"))
    ring_lengths: array[int] = field(default_factory=lambda: array("q"))
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
        rings = rings or ((left, top, right, top, right, bottom, left, bottom),)
        for ring in rings:
            self.points.extend(ring)
            self.ring_lengths.append(len(ring) // 2)
        self.object_rings.append(len(rings))

    def end_image(self, image_id: int, size: tuple[int, int], path: str) -> None:
        """Say which image (size: height, width) the objects added since the last one belong to."""
        self.image_ids.append(image_id)
        self.sizes.extend(size)
        self.paths += path.encode()
        self.path_ends.append(len(self.paths))
        self.object_ends.append(len(self.labels))
        self.ring_ends.append(len(self.ring_lengths))
        self.point_ends.append(len(self.points) // 2)

    def build(self) -> AnnotationTable:
        """The table, outlines moved into their images; without any outline given, it has none."""
        rings = 1 if self.has_outlines else 0  # as a factor: without outlines, no rings
        points = np.array(self.points if rings else [], np.float32).reshape(-1, 2)
        sizes = np.array(self.sizes, np.int32).reshape(-1, 2)
        point_ends = np.array(self.point_ends, np.int64) * rings
        limits = sizes[:, ::-1].astype(np.float32)
        np.clip(points, 0, np.repeat(limits, np.diff(point_ends, prepend=0), axis=0), out=points)
        return AnnotationTable(
            image_ids=np.array(self.image_ids, np.int64),
            sizes=sizes,
            path_bytes=np.frombuffer(bytes(self.paths), np.uint8),
            path_ends=np.array(self.path_ends, np.int64),
            object_ends=np.array(self.object_ends, np.int64),
            ring_ends=np.array(self.ring_ends, np.int64) * rings,
            point_ends=point_ends,
            boxes=np.array(self.boxes, np.float32).reshape(-1, 4),
            labels=np.array(self.labels, np.int64),
            even_odd=np.frombuffer(bytes(self.even_odd), np.bool_),
            object_rings=np.array(self.object_rings, np.int64) * rings,
            ring_lengths=np.array(self.ring_lengths if rings else [], np.int64),
            points=points,
            category_ids=tuple(self.category_ids),
            names=tuple(self.names),
        )


def _span(ends: NDArray[np.int64], index: int) -> tuple[int, int]:
    return (int(ends[index - 1]) if index else 0), int(ends[index])
