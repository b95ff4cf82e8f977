"""All images of a data set: each examined once, and what they are to each other."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from yolor_gp.data.doctor.image_files import ImageFacts, examine_image
from yolor_gp.data.doctor.report import Finding, warning

Progress = Callable[[int, int], None]
"""Called with (images done, images in all)."""


def examine_images(
    expected: Mapping[str, tuple[int, int] | None], progress: Progress | None = None
) -> dict[str, ImageFacts]:
    """What there is to say of each image by path, several at a time.

    expected: the (height, width) in its labels, where they say.
    """
    examined: dict[str, ImageFacts] = {}
    # Decoding runs outside of Python's lock.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for facts in pool.map(examine_image, expected.keys(), expected.values()):
            examined[facts.path] = facts
            if progress is not None:
                progress(len(examined), len(expected))
    return examined


def copies(images: Iterable[ImageFacts]) -> list[Finding]:
    """Images of one part that are there twice."""
    findings = []
    for paths in _groups(images).values():
        if len(paths) > 1:
            others = ", ".join(Path(path).name for path in paths[1:4])
            findings.append(
                warning("duplicate image", paths[0], f"same pixels as {others}", "keep one")
            )
    return findings


def leakage(train: Sequence[ImageFacts], val: Sequence[ImageFacts]) -> list[Finding]:
    """Images of the same pixels in train and val."""
    remedy = "validate on images the network has not seen"
    if val and {image.path for image in train} == {image.path for image in val}:
        detail = "train and val are the same images"
        return [warning("train/val leakage", val[0].path, detail, remedy)]
    in_train = _groups(train)
    return [
        warning("train/val leakage", image.path, f"same pixels as {seen[0]}", remedy)
        for image in val
        if image.digest and (seen := in_train.get(image.digest))
    ]


def _groups(images: Iterable[ImageFacts]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for image in images:
        if image.digest:
            groups[image.digest].append(image.path)
    return groups
