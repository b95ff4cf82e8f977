"""Opens a data set of labelled images, whatever form it lies in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from yolor_gp.classification.labelled_images import LabelledImages, open_folder
from yolor_gp.classification.listed_images import open_listed, table_in
from yolor_gp.classification.torchvision_files import (
    CIFAR_FOLDER,
    MNIST_FOLDER,
    open_cifar,
    open_mnist,
)
from yolor_gp.errors import UserError
from yolor_gp.files import did_you_mean_path

TRAIN = ("train", "training")
VAL = ("val", "valid", "validation", "test")
"""Folders of the two parts; the first that is there counts."""

_IMAGENETTE = {
    "n01440764": "tench", "n02102040": "English springer", "n02979186": "cassette player",
    "n03000684": "chain saw", "n03028079": "church", "n03394916": "French horn",
    "n03417042": "garbage truck", "n03425413": "gas pump", "n03445777": "golf ball",
    "n03888257": "parachute",
}  # fmt: skip


@dataclass(frozen=True)
class ClassificationData:
    """The two parts of a data set, opened, with the same classes."""

    train: LabelledImages
    val: LabelledImages

    @property
    def fingerprint(self) -> dict[str, str]:
        """What the data are, for provenance."""
        return {"train": self.train.fingerprint, "val": self.val.fingerprint}


def open_data(where: str | Path) -> ClassificationData:
    """A data set by its folder.

    Args:
        where: Holds `train/CLASS/*.jpg` and `val/CLASS/*.jpg` (or `valid`, `validation`, `test`),
            or `train/metadata.csv` that names pictures and labels, or what torchvision leaves of
            CIFAR-10, MNIST or Imagenette.

    Raises:
        UserError: When it is none of these, or something in it is wrong.
    """
    folder = Path(where)
    if not folder.is_dir():
        hint = did_you_mean_path(folder)
        raise UserError(
            f"{folder}: no such folder{hint}; --data names a folder of images in classes"
        )
    for name, opener in ((CIFAR_FOLDER, open_cifar), (MNIST_FOLDER, open_mnist)):
        inside = folder if folder.parts[-1:] == Path(name).parts[-1:] else folder / name
        if inside.is_dir() and inside.name == Path(name).name:
            return ClassificationData(opener(inside, "train"), opener(inside, "val"))
    unpacked = sorted(folder.glob("imagenette2*/train"))
    if unpacked and not _part(folder, TRAIN):
        folder = unpacked[0].parent
    train, val = _part(folder, TRAIN), _part(folder, VAL)
    if train is None or val is None:
        missing = "train" if train is None else "val"
        raise UserError(
            f"{folder}: has no folder '{missing}'; expected train/CLASS/*.jpg and val/CLASS/*.jpg,"
            " or CIFAR-10, MNIST or Imagenette as torchvision unpacks them"
        )
    opened = _open(train)
    return ClassificationData(_named(opened), _named(_open(val, opened.names)))


def _open(folder: Path, names: tuple[str, ...] | None = None) -> LabelledImages:
    table = table_in(folder)
    return open_folder(folder, names) if table is None else open_listed(table, names)


def _part(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _named(images: LabelledImages) -> LabelledImages:
    """Imagenette's classes by the words they stand for."""
    if not set(images.names) <= set(_IMAGENETTE):
        return images
    return replace(images, names=tuple(_IMAGENETTE[name] for name in images.names))
