"""One part of a data set written in another format; what the format cannot hold is counted."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pycocotools.mask
from numpy.typing import NDArray

from yolor_gp.data.convert.formats import FORMATS
from yolor_gp.data.labels.instances import Instances
from yolor_gp.data.labels.polygons import paint
from yolor_gp.files import write_json, write_text


@dataclass(frozen=True)
class Picture:
    """One image of the result: where it was, what it is called now, size (height, width)."""

    source: Path
    name: str
    size: tuple[int, int]
    instances: Instances


@dataclass
class Target:
    """Where parts are written to, and what was lost on the way.

    Attributes:
        folder: Of the whole data set.
        names: Of the classes.
        lost: What the format cannot hold: words -> how many objects.
    """

    folder: Path
    names: tuple[str, ...]
    lost: Counter[str] = field(default_factory=Counter)


def write_yolo(target: Target, part: str, pictures: Iterable[Picture]) -> None:
    """`labels/PART/NAME.txt`: a polygon an object, or a box; one outline has to do."""
    for picture in pictures:
        height, width = picture.size
        lines = []
        for box, label, rings, even_odd in _objects(picture.instances):
            if rings:
                outline = _one_outline(rings, even_odd, picture.size, target.lost)
                numbers = (outline / [width, height]).ravel()
            else:
                centre = [(box[0] + box[2]) / 2 / width, (box[1] + box[3]) / 2 / height]
                numbers = np.array([*centre, (box[2] - box[0]) / width, (box[3] - box[1]) / height])
            words = " ".join(f"{number:.6f}" for number in numbers.clip(0, 1))
            lines.append(f"{label} {words}\n")
        file = target.folder / "labels" / part / f"{Path(picture.name).stem}.txt"
        write_text(file, "".join(lines))
    place_pictures(target.folder / "images" / part, pictures)


def write_coco(target: Target, part: str, pictures: Iterable[Picture]) -> None:
    """`annotations/instances_PART.json`: polygons, and run lengths where there are holes."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, picture in enumerate(pictures, start=1):
        height, width = picture.size
        images.append({"id": number, "file_name": picture.name, "height": height, "width": width})
        areas = picture.instances.areas().tolist()
        for (box, label, rings, even_odd), area in zip(
            _objects(picture.instances), areas, strict=True
        ):
            annotation: dict[str, Any] = {
                "id": len(annotations) + 1,
                "image_id": number,
                "category_id": label + 1,
                "bbox": [round(v, 3) for v in (box[0], box[1], box[2] - box[0], box[3] - box[1])],
                "area": round(area, 3),
                "iscrowd": 0,
            }
            if rings and even_odd and len(rings) > 1:
                annotation["segmentation"] = _run_lengths(rings, picture.size)
            elif rings:
                annotation["segmentation"] = [ring.round(3).ravel().tolist() for ring in rings]
            annotations.append(annotation)
    categories = [{"id": k, "name": name} for k, name in enumerate(target.names, start=1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    write_json(target.folder / "annotations" / f"instances_{part}.json", content)
    place_pictures(target.folder / "images" / part, pictures)


def write_voc(target: Target, part: str, pictures: Iterable[Picture]) -> None:
    """`PART/Annotations/NAME.xml`: boxes in whole pixels, counted from 1."""
    for picture in pictures:
        height, width = picture.size
        lines = ["<annotation>", f"  <filename>{escape(picture.name)}</filename>"]
        lines += [f"  <size><width>{width}</width><height>{height}</height><depth>3</depth></size>"]
        for box, label, rings, _ in _objects(picture.instances):
            target.lost["outlines"] += bool(rings)
            left, top = (min(round(v), limit - 1) + 1 for v, limit in
                         zip(box[:2], (width, height), strict=True))  # fmt: skip
            right, bottom = max(round(box[2]), left), max(round(box[3]), top)
            lines += [
                f"  <object><name>{escape(target.names[label])}</name><difficult>0</difficult>",
                f"    <bndbox><xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax>"
                f"<ymax>{bottom}</ymax></bndbox>",
                "  </object>",
            ]
        text = "\n".join([*lines, "</annotation>", ""])
        write_text(target.folder / part / "Annotations" / f"{Path(picture.name).stem}.xml", text)
    place_pictures(target.folder / part / "JPEGImages", pictures)


def write_labelme(target: Target, part: str, pictures: Iterable[Picture]) -> None:
    """`PART/NAME.json` beside the picture: a polygon a part, parts of an object in one group."""
    for picture in pictures:
        shapes: list[dict[str, Any]] = []
        for number, (box, label, rings, even_odd) in enumerate(_objects(picture.instances)):
            if even_odd and len(rings) > 1:
                rings = _outer_rings(rings, picture.size, target.lost)
            group = number if len(rings) > 1 else None
            outlines = [ring.round(3).tolist() for ring in rings]
            kind = "polygon" if rings else "rectangle"
            for points in outlines or [[[box[0], box[1]], [box[2], box[3]]]]:
                shape = {"label": target.names[label], "points": points, "group_id": group}
                shapes.append(shape | {"shape_type": kind, "flags": {}})
        content: dict[str, Any] = {
            "version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": picture.name,
            "imageData": None, "imageHeight": picture.size[0], "imageWidth": picture.size[1],
        }  # fmt: skip
        write_json(target.folder / part / f"{Path(picture.name).stem}.json", content, indent=1)
    place_pictures(target.folder / part, pictures)


WRITERS: dict[str, Callable[[Target, str, Iterable[Picture]], None]] = dict(
    zip(FORMATS, (write_coco, write_yolo, write_voc, write_labelme), strict=True)
)


def place_pictures(folder: Path, pictures: Iterable[Picture]) -> None:
    """The same files under their new names: hard links where the disk allows, else copies."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        place = folder / picture.name
        if place.exists():
            continue
        try:
            os.link(picture.source, place)
        except OSError:
            shutil.copyfile(picture.source, place)


def data_yaml(form: str, parts: Mapping[str, str], names: tuple[str, ...]) -> str:
    """The data YAML of what was written. parts: train, val, test -> the name it was written by."""
    words = "".join(f"- {json.dumps(name, ensure_ascii=False)}\n" for name in names)
    if form == "coco":
        lines = [f"{kind}: images/{part}\n" for kind, part in parts.items()]
        files = [f"  {kind}: annotations/instances_{part}.json\n" for kind, part in parts.items()]
        return "".join([*lines, "annotations:\n", *files])
    folder = "images/" if form == "yolo" else ""
    lines = [] if form == "yolo" else [f"format: {form}\n"]
    lines += [f"{kind}: {folder}{part}\n" for kind, part in parts.items()]
    return "".join([*lines, "names:\n", words])


def _objects(
    instances: Instances,
) -> Iterator[tuple[list[float], int, list[NDArray[np.float32]], bool]]:
    rings = instances.rings() if instances.has_rings else [[] for _ in range(len(instances))]
    yield from zip(
        instances.boxes.tolist(),
        instances.labels.tolist(),
        rings,
        instances.even_odd.tolist(),
        strict=True,
    )


def _bitmap(rings: list[NDArray[np.float32]], size: tuple[int, int]) -> NDArray[np.uint8]:
    bitmap = np.zeros(size, np.uint8)
    paint(bitmap, rings, 1, even_odd=True)
    return bitmap


def _run_lengths(rings: list[NDArray[np.float32]], size: tuple[int, int]) -> dict[str, Any]:
    runs = pycocotools.mask.encode(np.asfortranarray(_bitmap(rings, size)))
    return {"size": list(size), "counts": runs["counts"].decode("ascii")}


def _outer_rings(
    rings: list[NDArray[np.float32]], size: tuple[int, int], lost: Counter[str]
) -> list[NDArray[np.float32]]:
    """Rings without those that are holes, which are counted."""
    bitmap = _bitmap(rings, size)
    outer = []
    for ring in rings:
        alone = _bitmap([ring], size)
        inside = bitmap[alone > 0]
        # A hole's own area is empty but for what lies in it again.
        if len(inside) and inside.mean() < 0.5:
            lost["holes"] += 1
        else:
            outer.append(ring)
    return outer or rings[:1]


def _one_outline(
    rings: list[NDArray[np.float32]],
    even_odd: bool,
    size: tuple[int, int],
    lost: Counter[str],
) -> NDArray[np.float32]:
    """One ring of all parts: each is joined to the last at the nearest points, there and back."""
    if even_odd and len(rings) > 1:
        rings = _outer_rings(rings, size, lost)
    if len(rings) > 1:
        lost["parts joined by a line"] += 1
    joined = rings[0]
    for ring in rings[1:]:
        distances = np.linalg.norm(joined[:, None] - ring[None], axis=2)
        here, there = np.unravel_index(int(distances.argmin()), distances.shape)
        around = np.concatenate((ring[there:], ring[: there + 1]))
        joined = np.concatenate((joined[: here + 1], around, joined[here:]))
    return joined
