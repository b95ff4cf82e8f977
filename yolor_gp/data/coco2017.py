"""COCO 2017 on disk: whether it is whole, where its parts go, and fetching them when told to.

    FOLDER/annotations/instances_train2017.json
    FOLDER/annotations/instances_val2017.json
    FOLDER/images/train2017/000000000009.jpg ...
    FOLDER/images/val2017/000000000139.jpg ...

Sizes, MD5 sums and counts are those of the files as the COCO project publishes them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from yolor_gp.data.coco2017_parts import ARCHIVES, BASE, PARTS, SAMPLE, Archive, Part
from yolor_gp.errors import UserError

_CHUNK = 1 << 20
_TIMEOUT = 60

Say = Callable[[str], None]
Progress = Callable[[int], object]


_CATEGORIES = 80


def problems_of(folder: Path, parts: tuple[Part, ...] = PARTS, sample: int = SAMPLE) -> list[str]:
    """What is missing or wrong, a line each, with what to do; [] when all is well.

    Annotation files are counted, every image must be there, and `sample` of each part, always the
    same ones, are decoded and measured.
    """
    return [problem for part in parts for problem in _problems(folder, part, sample)]


def _problems(folder: Path, part: Part, sample: int) -> Iterator[str]:
    file = folder / "annotations" / f"instances_{part.name}.json"
    images = folder / "images" / part.name
    archives = {archive.name: archive for archive in ARCHIVES}
    source = archives["annotations_trainval2017.zip"].path
    if not file.is_file():
        yield f"{file}: missing; unpack {BASE}/{source} into {folder}"
        return
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        found = tuple(len(content[key]) for key in ("images", "annotations", "categories"))
        sizes = {str(row["file_name"]): (row["height"], row["width"]) for row in content["images"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield f"{file}: cannot be read ({type(error).__name__}); unpack {BASE}/{source} anew"
        return
    expected = (part.images, part.annotations, _CATEGORIES)
    if found != expected:
        yield (
            f"{file}: {found[0]} images, {found[1]} annotations, {found[2]} categories; the"
            f" published file has {expected[0]}, {expected[1]} and {expected[2]}: unpack it anew"
        )
    there = {entry.name for entry in images.iterdir()} if images.is_dir() else set()
    missing = sorted(sizes.keys() - there)
    if missing:
        zip_name = archives.get(f"{part.name}.zip", ARCHIVES[1]).path
        yield (
            f"{images}: {len(missing)} of {len(sizes)} images are missing ({missing[0]}, ...);"
            f" unpack {BASE}/{zip_name} into {folder / 'images'}"
        )
    yield from _damaged(images, {name: sizes[name] for name in sizes.keys() & there}, sample)


def _damaged(images: Path, sizes: dict[str, tuple[int, int]], sample: int) -> Iterator[str]:
    order = np.random.default_rng(0).permutation(len(sizes))[:sample]
    names = sorted(sizes)
    for name in (names[index] for index in order):
        picture = cv2.imread(str(images / name))
        if picture is None:
            yield f"{images / name}: cannot be decoded; unpack its archive anew"
        elif picture.shape[:2] != sizes[name]:
            height, width = picture.shape[:2]
            yield (
                f"{images / name}: {width}x{height} pixels, the annotations say"
                f" {sizes[name][1]}x{sizes[name][0]}; unpack its archive anew"
            )


def fetch(
    folder: Path, archive: Archive, *, progress: Progress, base: str = BASE, keep: bool = False
) -> None:
    """Download one archive, going on where an earlier try ended, check it and unpack it.

    Args:
        folder: Of the data set.
        archive: What to fetch.
        progress: Called with the bytes that came in.
        base: Where it is published, or a mirror.
        keep: Leave the archive beside what was in it.

    Raises:
        UserError: When it cannot be fetched or is not what was published.
    """
    file = folder / archive.name
    folder.mkdir(parents=True, exist_ok=True)
    needed = archive.bytes - (file.stat().st_size if file.is_file() else 0)
    free = shutil.disk_usage(folder).free
    if free < needed + archive.bytes:
        raise UserError(
            f"{folder}: {archive.name} needs {(needed + archive.bytes) / 1e9:.1f} GB with what is"
            f" in it, {free / 1e9:.1f} GB are free; make room, or choose another folder"
        )
    _download(f"{base}/{archive.path}", file, archive.bytes, progress)
    found = _md5(file)
    if found != archive.md5:
        file.unlink()
        raise UserError(
            f"{file}: MD5 {found}, published is {archive.md5}; it was removed, fetch it again"
        )
    with zipfile.ZipFile(file) as opened:
        opened.extractall(folder / archive.to)
    if not keep:
        file.unlink()


def _download(address: str, file: Path, size: int, progress: Progress) -> None:
    done = file.stat().st_size if file.is_file() else 0
    if done > size:
        file.unlink()
        done = 0
    progress(done)
    if done == size:
        return
    request = urllib.request.Request(address, headers={"Range": f"bytes={done}-"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
            goes_on = answer.status == 206
            if not goes_on:  # the server sends all of it
                progress(-done)
            with file.open("ab" if goes_on else "wb") as output:
                while chunk := answer.read(_CHUNK):
                    output.write(chunk)
                    progress(len(chunk))
    except (OSError, urllib.error.URLError) as error:
        raise UserError(
            f"{address}: cannot be fetched ({error}); what came is kept, call again to go on"
        ) from None
    if file.stat().st_size != size:
        raise UserError(
            f"{file}: {file.stat().st_size} bytes, published are {size}; call again to go on"
        )


def _md5(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
