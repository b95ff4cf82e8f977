"""COCO JSON, every image and every annotation."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from yolor_gp.data.doctor.labels import (
    Box,
    LabelFacts,
    Outlines,
    box_findings,
    count_object,
    repeated_objects,
)
from yolor_gp.data.doctor.report import Finding, error, warning
from yolor_gp.data.labels.coco_json import decode_runs, load_json
from yolor_gp.data.labels.coco_values import (
    has_area,
    is_crowd,
    is_number,
    is_whole,
    usable_segmentation,
)
from yolor_gp.data.pixels.images import IMAGE_SUFFIXES, left_out
from yolor_gp.errors import UserError
from yolor_gp.files import did_you_mean_path

Complain = Callable[..., None]


def read_coco_labels(file: Path, folder: Path) -> LabelFacts:
    """The labels of a COCO JSON whose images lie in `folder`."""
    facts = LabelFacts()
    try:
        content = load_json(file)
    except UserError as problem:
        facts.findings += [
            error("labels unreadable", *_split(line), "replace the file")
            for line in problem.problems
        ]
        return facts
    _CocoReader(file, folder, content, facts).read()
    return facts


class _CocoReader:
    def __init__(
        self, file: Path, folder: Path, content: dict[str, Any], facts: LabelFacts
    ) -> None:
        self.file, self.folder, self.content, self.facts = file, folder, content, facts
        self.names: dict[int, str] = {}
        self.images: dict[int, dict[str, Any]] = {}
        self.objects: dict[int, list[tuple[object, Box]]] = defaultdict(list)
        self.outlines = Outlines()

    def read(self) -> None:
        self._categories()
        self._images()
        self._annotations()
        for image_id, objects in self.objects.items():
            self.facts.findings += repeated_objects(self._image(image_id), objects)
        self.facts.findings += self.outlines.findings()
        self._pixels()
        figures = self.facts.figures
        figures.empty_images = sum(1 for image_id in self.images if not self.objects[image_id])
        self.facts.names = tuple(self.names[key] for key in sorted(self.names))
        self._unlisted_images()

    def _categories(self) -> None:
        for category in self.content["categories"]:
            key, name = category.get("id"), category.get("name")
            where = f"{self.file}: category {key!r}"
            if not is_whole(key) or not isinstance(name, str):
                self._add(
                    error(
                        "malformed category",
                        where,
                        "needs a whole 'id' and a text 'name'",
                        "correct it",
                    )
                )
            elif key in self.names:
                self._add(
                    error(
                        "duplicate id",
                        where,
                        f"already is '{self.names[key]}'",
                        f"give '{name}' an id of its own",
                    )
                )
            else:
                self.names[key] = name
        for name, count in Counter(self.names.values()).items():
            if count > 1:
                self._add(
                    warning(
                        "duplicate class name",
                        str(self.file),
                        f"'{name}' names {count} categories",
                        "merge or rename",
                    )
                )
        if not self.content["categories"]:
            self._add(error("no classes", str(self.file), "'categories' is empty", "list them"))

    def _images(self) -> None:
        names: dict[str, int] = {}
        for image in self.content["images"]:
            key, name = image.get("id"), image.get("file_name")
            where = f"{self.file}: image {key!r}"
            sides = (image.get("height"), image.get("width"))
            if not is_whole(key) or not isinstance(name, str):
                self._add(
                    error(
                        "malformed image entry",
                        where,
                        "needs a whole 'id' and a text 'file_name'",
                        "correct it",
                    )
                )
            elif not all(is_whole(side) and 0 < side < 2**20 for side in sides):
                self._add(
                    error(
                        "malformed image entry",
                        where,
                        f"height and width are {sides}",
                        "write its size in pixels",
                    )
                )
            elif key in self.images:
                self._add(
                    error(
                        "duplicate id",
                        where,
                        f"also is {self.images[key]['file_name']}",
                        f"give {name} an id of its own",
                    )
                )
            else:
                if name in names:
                    self._add(
                        warning(
                            "duplicate file",
                            where,
                            f"{name} is image {names[name]} too",
                            "merge them",
                        )
                    )
                names[name] = key
                self.images[key] = image
                self.facts.images[str(self.folder / name)] = (image["height"], image["width"])
        if not self.content["images"]:
            self._add(error("empty set", str(self.file), "'images' is empty", "list the images"))

    def _annotations(self) -> None:
        ids: set[Any] = set()
        for number, annotation in enumerate(self.content["annotations"]):
            key, image_id = annotation.get("id"), annotation.get("image_id")
            where = f"{self.file}: annotation {key!r}"
            if not is_whole(key):
                where = f"{self.file}: annotation number {number}"
                self._add(
                    warning(
                        "malformed annotation id",
                        where,
                        f"'id' is {key!r}",
                        "number annotations from 1",
                    )
                )
            elif key in ids:
                self._add(
                    warning(
                        "duplicate id",
                        where,
                        "another annotation has this id",
                        "number annotations from 1",
                    )
                )
            ids.add(key if is_whole(key) else None)
            if not is_whole(image_id) or image_id not in self.images:
                self._add(
                    error(
                        "annotation without image",
                        where,
                        f"image_id {image_id!r} is not among the images",
                        "restore the image or remove the annotation",
                    )
                )
                continue
            self._annotation(annotation, f"{where} ({self._image(image_id)})", image_id)

    def _annotation(self, annotation: dict[str, Any], where: str, image_id: int) -> None:
        image = self.images[image_id]
        size = (image["height"], image["width"])
        category = annotation.get("category_id")
        name = self.names.get(category) if isinstance(category, int) else None
        if name is None:
            self._add(
                error(
                    "class out of range",
                    where,
                    f"category_id {category!r} is not among the categories",
                    "add the category or correct the id",
                )
            )
        self._segmentation(annotation.get("segmentation"), size, where)
        box = annotation.get("bbox")
        if not isinstance(box, list) or len(box) != 4:
            self._add(error("malformed box", where, f"bbox is {box!r}", "write [x, y, w, h]"))
            return
        if not all(map(is_number, box)):
            self._add(error("not a number", where, f"bbox is {box}", "write finite numbers"))
            return
        corners = (box[0], box[1], box[0] + box[2], box[1] + box[3])
        self.facts.findings += box_findings(where, corners, size)
        if annotation.get("area") is not None and not has_area(annotation):
            self._add(
                warning(
                    "area no number",
                    where,
                    f"'area' is {annotation['area']!r}; it is computed from the outline or the box",
                    "write its pixels, or leave it out",
                )
            )
        try:
            crowd = is_crowd(annotation)
        except ValueError as problem:
            self._add(error("malformed iscrowd", where, str(problem), "write a number"))
            return
        self.outlines.count(where, bool(usable_segmentation(annotation.get("segmentation"))))
        if crowd:
            self.facts.figures.crowds += 1
        elif name is not None and corners[2] > corners[0] and corners[3] > corners[1]:
            count_object(self.facts.figures, name, corners)
            self.objects[image_id].append((name, corners))

    def _segmentation(self, segmentation: Any, size: tuple[int, int], where: str) -> None:
        if segmentation is None or segmentation == []:
            return
        if isinstance(segmentation, dict):
            try:
                bitmap = decode_runs(segmentation, size)
            except ValueError as problem:
                self._add(error("broken RLE", where, str(problem), "encode the mask again"))
                return
            if not bitmap.any():
                self._add(warning("empty mask", where, "no pixel is set", "redraw it"))
        elif isinstance(segmentation, list):
            for number, polygon in enumerate(segmentation):
                self._polygon(polygon, number, size, where)
        else:
            self._add(
                error(
                    "malformed segmentation",
                    where,
                    f"is a {type(segmentation).__name__}",
                    "write polygons or run lengths",
                )
            )

    def _polygon(self, polygon: Any, number: int, size: tuple[int, int], where: str) -> None:
        what = f"polygon {number}"
        if not isinstance(polygon, list) or len(polygon) % 2:
            self._add(
                error(
                    "malformed polygon",
                    where,
                    f"{what} is not a list of x, y pairs",
                    "write x, y, x, y, ...",
                )
            )
        elif not all(_is_plain_number(value) for value in polygon):
            self._add(
                error(
                    "malformed polygon",
                    where,
                    f"{what} holds something but numbers",
                    "write x, y, x, y, ...",
                )
            )
        elif not all(math.isfinite(value) for value in polygon):
            self._add(error("not a number", where, f"{what} has NaN or infinity", "redraw it"))
        elif len(polygon) < 6:
            self._add(
                warning(
                    "polygon under three points",
                    where,
                    f"{what} has {len(polygon) // 2} and is ignored",
                    "redraw it",
                )
            )
        else:
            width_over = max(polygon[0::2]) - size[1]
            height_over = max(polygon[1::2]) - size[0]
            if max(width_over, height_over, -min(polygon)) > 1:
                self._add(warning("polygon outside", where, f"{what} leaves the image", "clip it"))

    def _pixels(self) -> None:
        boxes = [box for objects in self.objects.values() for _, box in objects]
        if boxes and max(max(box) for box in boxes) <= 2:
            self._add(
                error(
                    "boxes under one pixel",
                    str(self.file),
                    f"all {len(boxes)} boxes lie within 2 pixels: normalised? COCO wants pixels",
                    "multiply them by width and height of their images",
                )
            )

    def _unlisted_images(self) -> None:
        if not self.folder.is_dir():
            self._add(
                error(
                    "image missing",
                    str(self.folder),
                    f"no such folder of images{did_you_mean_path(self.folder)}",
                    "check 'path', 'train' and 'val'",
                )
            )
            self.facts.images.clear()  # one finding instead of one per image
            return
        listed_folders = {Path(path).parent for path in self.facts.images} | {self.folder}
        for folder in sorted(folder for folder in listed_folders if folder.is_dir()):
            line = left_out(path for path in folder.iterdir() if str(path) not in self.facts.images)
            if line is not None:
                what, _, remedy = line.partition("; ")
                self._add(warning("pictures left out", str(folder), what, remedy))
        listed = {Path(path) for path in self.facts.images}
        unlisted = [
            path
            for path in sorted(self.folder.iterdir())
            if path.suffix.lower() in IMAGE_SUFFIXES and path not in listed
        ]
        if unlisted:
            self._add(
                warning(
                    "images without labels",
                    str(self.folder),
                    f"{len(unlisted)} images are not in {self.file.name}"
                    f" ({unlisted[0].name}, ...) and are not used",
                    "list or remove them",
                )
            )

    def _image(self, image_id: int) -> str:
        return str(self.images[image_id]["file_name"])

    def _add(self, finding: Finding) -> None:
        self.facts.findings.append(finding)


def _split(line: str) -> tuple[str, str]:
    where, _, detail = line.partition(": ")
    return where, detail


def _is_plain_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
