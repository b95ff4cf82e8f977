"""YOLO text labels: a line per object, `class cx cy w h` or `class x1 y1 x2 y2 ...`, relative."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from yolor_gp.data.labels.annotation_table import AnnotationTable, TableBuilder
from yolor_gp.data.labels.table_cache import cached_table
from yolor_gp.data.pixels.images import IMAGE_SUFFIXES, image_size
from yolor_gp.errors import UserError, raise_problems
from yolor_gp.files import did_you_mean_path

MOST_PROBLEMS = 20
"""Problems listed before a report stops."""

_OUTSIDE = 0.01
"""Labels may leave the picture by this share of its size, as rounding does."""

Object = tuple[int, tuple[float, float, float, float], list[float]]
"""label, box (xyxy, relative), outline (x, y, ..., relative; empty for a box)."""


def open_yolo(sources: Sequence[Path], names: Sequence[str]) -> tuple[AnnotationTable, str]:
    """The labels of all images in `sources` and their fingerprint.

    sources: folders of images, list files with an image a line, or images. An image's labels lie
    where the last folder `images` of its path is replaced by `labels`, or beside it; without a
    file, or with an empty one, it has no objects. Image ids are 1, 2, ... in the order of paths.
    The fingerprint covers names, sizes and times of all files.

    Raises:
        UserError: Naming file and line of what is wrong.
    """
    images = find_images(sources)
    digest = hashlib.sha256("\n".join(names).encode())
    for image in images:
        for file in (image, label_path(image)):
            try:
                status = file.stat()
                digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
            except OSError:
                digest.update(f"{file}\0absent\n".encode())
    source = "yolo\n" + "\n".join(str(path.absolute()) for path in sources)
    return cached_table(source, digest.hexdigest(), lambda: _parse(images, names))


def find_images(sources: Iterable[Path]) -> list[Path]:
    """The images of folders (with subfolders) and list files, sorted, each once.

    Raises:
        UserError: When a source is not there, or no picture is found.
    """
    found: set[Path] = set()
    problems: list[str] = []
    for source in sources:
        if source.is_dir():
            found.update(
                path
                for path in source.absolute().rglob("*")
                if path.suffix.lower() in IMAGE_SUFFIXES
            )
        elif source.suffix.lower() in IMAGE_SUFFIXES and source.is_file():
            found.add(source.absolute())
        elif source.is_file():
            found.update(_listed_images(source, problems))
        else:
            hint = did_you_mean_path(source) or "; check 'path'"
            problems.append(f"{source}: no such folder, list file or picture{hint}")
    raise_problems(problems[:MOST_PROBLEMS])
    if not found:
        raise UserError(f"{', '.join(map(str, sources))}: no pictures found")
    return sorted(found)


def label_path(image: Path) -> Path:
    """Where an image's labels lie: in `labels`, or beside it where only there they are."""
    beside, parts = image.with_suffix(".txt"), image.parts
    for position in range(len(parts) - 2, -1, -1):
        if parts[position] == "images":
            file = Path(*parts[:position], "labels", *parts[position + 1 :]).with_suffix(".txt")
            return beside if not file.is_file() and beside.is_file() else file
    return beside


def parse_labels(text: str, file: str, num_classes: int) -> tuple[list[Object], list[str]]:
    """The objects of a label file, and a line per problem beginning with `file:line`."""
    objects: list[Object] = []
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            item = _parse_line(words, num_classes)
        except ValueError as error:
            problems.append(f"{file}:{number}: {error}")
            continue
        if item is not None and item not in objects:
            objects.append(item)
    return objects, problems


def _listed_images(list_file: Path, problems: list[str]) -> list[Path]:
    """The images of a list file; relative ones are relative to its folder."""
    try:
        lines = list_file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        problems.append(f"{list_file}: cannot be read as a list of pictures, one a line")
        return []
    found: list[Path] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        image = list_file.absolute().parent / line.strip()
        if "\0" in line or not image.is_file():
            hint = "" if "\0" in line else did_you_mean_path(image)
            problems.append(f"{list_file}:{number}: no such picture: {line.strip()[:200]!r}{hint}")
        else:
            found.append(image)
    return found


def _parse(images: Sequence[Path], names: Sequence[str]) -> AnnotationTable:
    builder = TableBuilder(names, range(len(names)))
    problems: list[str] = []
    with ThreadPoolExecutor(8) as pool:
        sizes = pool.map(_size_or_problem, images, chunksize=64)
        for number, (image, size) in enumerate(zip(images, sizes, strict=True), start=1):
            if isinstance(size, str):
                problems.append(size)
                continue
            objects, found = _read_labels(label_path(image), len(names))
            problems += found
            if len(problems) >= MOST_PROBLEMS:
                pool.shutdown(cancel_futures=True)
                break
            for label, box, outline in objects:
                _add(builder, label, box, outline, size)
            builder.end_image(number, size, str(image))
    raise_problems(problems[:MOST_PROBLEMS])
    return builder.build()


def _size_or_problem(image: Path) -> tuple[int, int] | str:
    try:
        return image_size(image)
    except UserError as error:
        return str(error)


def _read_labels(file: Path, num_classes: int) -> tuple[list[Object], list[str]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return [], []
    except OSError as error:
        return [], [f"{file}: cannot be read ({error.strerror})"]
    except UnicodeDecodeError:
        return [], [f"{file}: not a text file"]
    return parse_labels(text, str(file), num_classes)


def _add(
    builder: TableBuilder,
    label: int,
    box: tuple[float, float, float, float],
    outline: Sequence[float],
    size: tuple[int, int],
) -> None:
    height, width = size
    left, top, right, bottom = box
    pixels = (left * width, top * height, right * width, bottom * height)
    ring = [value * (height if k % 2 else width) for k, value in enumerate(outline)]
    builder.add_object(label, pixels, [ring] if ring else ())


def _parse_line(words: Sequence[str], num_classes: int) -> Object | None:
    """One object, or None when nothing of it lies inside.

    Raises:
        ValueError: When the line is neither a box nor an outline of a known class.
    """
    if len(words) != 5 and (len(words) < 7 or len(words) % 2 == 0):
        raise ValueError(
            "expected 'class cx cy w h' or 'class x1 y1 x2 y2 x3 y3 ...' (at least three points),"
            f" found {len(words)} values"
        )
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        wrong = next(word for word in words if not _is_float(word))
        raise ValueError(f"expected numbers, found {wrong[:40]!r}") from None
    label, values = numbers[0], numbers[1:]
    if not (label.is_integer() and 0 <= label < num_classes):
        raise ValueError(
            f"class {words[0][:40]} is not one of 0 to {num_classes - 1}; check 'names'"
        )
    if not all(math.isfinite(value) for value in values):
        raise ValueError("expected finite numbers")
    if len(values) == 4:
        return _box_object(int(label), values)
    _check_range(values)
    outline = [min(max(value, 0.0), 1.0) for value in values]
    x, y = np.array(outline[0::2]), np.array(outline[1::2])
    box = (float(x.min()), float(y.min()), float(x.max()), float(y.max()))
    return (int(label), box, outline) if box[0] < box[2] and box[1] < box[3] else None


def _box_object(label: int, values: Sequence[float]) -> Object | None:
    x, y, width, height = values
    if width <= 0 or height <= 0:
        raise ValueError(f"expected positive width and height, found {width:g} and {height:g}")
    corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    _check_range((x, y, width, height))
    left, top, right, bottom = (min(max(value, 0.0), 1.0) for value in corners)
    return (label, (left, top, right, bottom), []) if left < right and top < bottom else None


def _check_range(values: Iterable[float]) -> None:
    for value in values:
        if not -_OUTSIDE <= value <= 1 + _OUTSIDE:
            raise ValueError(
                f"expected coordinates relative to the picture, 0 to 1, found {value:g};"
                " divide pixels by its width and height"
            )


def _is_float(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
