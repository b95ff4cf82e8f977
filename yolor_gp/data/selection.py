"""A part of a data set: some classes, all as one class, or a share of the images."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolor_gp.config.suggest import did_you_mean
from yolor_gp.data.labels.annotation_table import AnnotationTable
from yolor_gp.errors import UserError, raise_problems

ONE_CLASS = "object"
"""What all classes are called when they count as one."""

LoadTruth = Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Selection:
    """What is taken of a data set.

    Attributes:
        classes: Names or numbers of the classes kept, in this order; all when empty.
        single_class: Whether they all count as one.
        fraction: The share of images kept, above 0 and up to 1: the same ones every time.
    """

    classes: tuple[str, ...] = ()
    single_class: bool = False
    fraction: float = 1.0

    @property
    def takes_all(self) -> bool:
        """Whether nothing is left out or changed."""
        return not self.classes and not self.single_class and self.fraction == 1

    def of(
        self, table: AnnotationTable, fingerprint: str, load_truth: LoadTruth, source: str
    ) -> tuple[AnnotationTable, str, LoadTruth]:
        """Labels, their fingerprint and the truth, as far as selected.

        source: what messages call the data.

        Raises:
            UserError: For classes that the data do not have.
        """
        if self.takes_all:
            return table, fingerprint, load_truth
        kept = self._labels(table.names, source)
        images = _share(len(table), self.fraction)
        part = _part(table, images, kept)
        if self.single_class:
            part = _renamed(part, np.zeros(len(kept), np.int64), (part.category_ids[0],), ONE_CLASS)
        text = f"{fingerprint}\n{self.classes} {self.single_class} {self.fraction}"
        digest = hashlib.sha256(text.encode()).hexdigest()[: len(fingerprint)]
        categories = tuple(table.category_ids[label] for label in kept)
        return part, digest, lambda: _truth(load_truth(), part, categories, self.single_class)

    def _labels(self, names: Sequence[str], source: str) -> list[int]:
        """The labels of the classes kept.

        Raises:
            UserError: When the data set has no such class, or one is given twice.
        """
        wanted = [
            int(word) if word not in names and word.isdecimal() and int(word) < len(names) else word
            for word in self.classes
        ]
        raise_problems(
            f"--classes {word}: {source} has no such class{did_you_mean(word, names)}; it has"
            f" {', '.join(names[:10])}{', ...' if len(names) > 10 else ''}"
            for word in wanted
            if isinstance(word, str) and word not in names
        )
        labels = [word if isinstance(word, int) else names.index(word) for word in wanted]
        if len(set(labels)) != len(labels):
            raise UserError(f"--classes {' '.join(self.classes)}: a class is given twice")
        return labels or list(range(len(names)))


def _share(count: int, fraction: float) -> NDArray[np.bool_]:
    kept = np.zeros(count, np.bool_)
    order = np.random.default_rng(0).permutation(count)
    kept[order[: max(round(count * fraction), 1)]] = True
    return kept


def _part(
    table: AnnotationTable, images: NDArray[np.bool_], labels: Sequence[int]
) -> AnnotationTable:
    """The images where `images` is true, with the objects of `labels`, numbered anew."""
    number = np.full(len(table.names), -1, np.int64)
    number[list(labels)] = np.arange(len(labels))
    objects_of = np.repeat(np.arange(len(table)), _counts(table.object_ends))
    objects = (number[table.labels] >= 0) & images[objects_of]
    rings = np.repeat(objects, table.object_rings)
    points = np.repeat(rings, table.ring_lengths)
    rings_of = np.repeat(np.arange(len(table)), _counts(table.ring_ends))
    points_of = np.repeat(np.arange(len(table)), _counts(table.point_ends))
    paths = np.repeat(images, _counts(table.path_ends))
    return AnnotationTable(
        image_ids=table.image_ids[images],
        sizes=table.sizes[images],
        path_bytes=table.path_bytes[paths],
        path_ends=np.cumsum(_counts(table.path_ends)[images]),
        object_ends=_ends(objects_of[objects], images),
        ring_ends=_ends(rings_of[rings], images),
        point_ends=_ends(points_of[points], images),
        boxes=table.boxes[objects],
        labels=number[table.labels[objects]],
        even_odd=table.even_odd[objects],
        object_rings=table.object_rings[objects],
        ring_lengths=table.ring_lengths[rings],
        points=table.points[points],
        category_ids=tuple(table.category_ids[label] for label in labels),
        names=tuple(table.names[label] for label in labels),
    )


def _renamed(
    table: AnnotationTable, number: NDArray[np.int64], category_ids: tuple[int, ...], name: str
) -> AnnotationTable:
    arrays, _ = table.to_arrays()
    arrays["labels"] = number[table.labels]
    return AnnotationTable.from_arrays(arrays, {"category_ids": category_ids, "names": (name,)})


def _truth(
    truth: dict[str, Any], part: AnnotationTable, categories: Sequence[int], single: bool
) -> dict[str, Any]:
    """The COCO dictionary of `part`; `categories` are the ids its classes had."""
    images, kept = set(part.image_ids.tolist()), set(categories)
    annotations = [
        {**annotation, "category_id": part.category_ids[0]} if single else annotation
        for annotation in truth["annotations"]
        if annotation["image_id"] in images and annotation["category_id"] in kept
    ]
    return {
        **truth,
        "images": [image for image in truth["images"] if image["id"] in images],
        "annotations": annotations,
        "categories": [
            {"id": key, "name": name}
            for key, name in zip(part.category_ids, part.names, strict=True)
        ],
    }


def _counts(ends: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.diff(ends, prepend=0)


def _ends(owners: NDArray[np.int64], images: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.cumsum(np.bincount(owners, minlength=len(images))[images])
