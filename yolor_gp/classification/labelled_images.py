"""Pictures with one label each, in files or in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yolor_gp.data.doctor.fingerprint import combined
from yolor_gp.data.pixels.images import IMAGE_SUFFIXES, left_out, read_image
from yolor_gp.errors import UserError


@dataclass(frozen=True)
class LabelledImages:
    """One part of a data set, N images.

    Attributes:
        name: What messages call it.
        names: Class names, by label.
        labels: i64[N].
        paths: Where each image lies; for pictures in memory, the file and a number.
        fingerprint: Of all this.
        pictures: u8[N, H, W, 3] RGB where they are in memory.
    """

    name: str
    names: tuple[str, ...]
    labels: NDArray[np.int64]
    paths: tuple[str, ...]
    fingerprint: str
    pictures: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, index: int) -> NDArray[np.uint8]:
        """A picture, u8[H, W, 3] RGB. Don't write to it.

        Raises:
            UserError: Naming the file, when it cannot be read.
        """
        if self.pictures is not None:
            picture: NDArray[np.uint8] = self.pictures[index]
            return picture
        return read_image(self.paths[index])

    def counts(self) -> Counter[str]:
        """Images of each class, by name."""
        counts = np.bincount(self.labels, minlength=len(self.names)).tolist()
        return Counter(dict(zip(self.names, counts, strict=True)))


def open_folder(folder: Path, names: tuple[str, ...] | None = None) -> LabelledImages:
    """Images in a folder for each class, at any depth below it, in the order of their paths.

    Args:
        folder: Holds the class folders.
        names: Of the class folders, by label; in alphabetical order when None.

    Raises:
        UserError: When there are no classes or images, or other classes than `names`.
    """
    found = tuple(sorted(entry.name for entry in folder.iterdir() if _is_class(entry)))
    if names is not None and set(found) - set(names):
        strange = ", ".join(sorted(set(found) - set(names))[:5])
        raise UserError(f"{folder}: has classes that the training part has not: {strange}")
    names = names or found
    if len(names) < 2:
        raise UserError(
            f"{folder}: expected a folder of images for each class, found {len(names)} folders"
        )
    paths: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        own = sorted(_images(folder / name))
        paths += own
        labels += [label] * len(own)
    if not paths:
        told = left_out(folder.rglob("*"))
        raise UserError(f"{folder}: its class folders hold no images{f' ({told})' if told else ''}")
    fingerprint = fingerprint_of(folder, paths, repr(names))
    return LabelledImages(str(folder), names, np.array(labels, np.int64), tuple(paths), fingerprint)


def fingerprint_of(folder: Path, paths: Sequence[str], classes: str) -> str:
    """Of pictures below a folder, by names and sizes, and of what is known of their classes."""
    return combined([classes, *(_state(path, folder) for path in paths)])


def _is_class(entry: Path) -> bool:
    return entry.is_dir() and not entry.name.startswith(".")


def _images(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        hidden = path.name.startswith(".")  # what macOS leaves beside pictures
        if path.suffix.lower() in IMAGE_SUFFIXES and not hidden:
            yield str(path)


def _state(path: str, folder: Path) -> str:
    file = Path(path)
    return f"{file.relative_to(folder)}\0{file.stat().st_size}"
