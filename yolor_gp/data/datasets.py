"""Open a data set from its configuration, whatever its form."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import yolor_gp.data.labels.labelme_json  # noqa: F401
import yolor_gp.data.labels.voc_xml  # noqa: F401  (both enter what data files may name)
from yolor_gp.config.data_config import DataConfig, Split
from yolor_gp.data.detection_dataset import DetectionDataset
from yolor_gp.data.labels.annotation_table import AnnotationTable
from yolor_gp.data.labels.coco_dataset import coco_truth, open_coco
from yolor_gp.data.labels.formats import read_registered
from yolor_gp.data.labels.table_truth import table_truth
from yolor_gp.data.labels.yolo_txt import open_yolo
from yolor_gp.data.selection import LoadTruth, Selection
from yolor_gp.data.shapes.data_set import draw_shapes
from yolor_gp.data.slices import sliced
from yolor_gp.errors import UserError
from yolor_gp.ops.image_size import AnySize

_ALL = Selection()


def open_dataset(
    config: DataConfig,
    split: Split,
    *,
    image_size: AnySize,
    cache: Literal["none", "ram"] = "none",
    selection: Selection = _ALL,
) -> DetectionDataset:
    """One part of a data set; labels come from the cache when nothing has changed.

    Built-in shapes are drawn first where they are not there yet; pictures are cut as the
    configuration says, after the selection.

    Raises:
        UserError: When pictures or labels cannot be read or are wrong.
    """
    name = f"{config.file} ({split})"
    table, fingerprint, truth = selection.of(*_open(config, split), name)
    config_of_slices, cuts = config.slice_of(split), None
    if config_of_slices:
        thin = split == "train"
        table, fingerprint, cuts = sliced(table, fingerprint, config_of_slices, thin=thin)
        truth = partial(table_truth, table)
    return DetectionDataset(
        name, table, fingerprint, truth, image_size=image_size, cache=cache, cuts=cuts
    )


Opened = tuple[AnnotationTable, str, LoadTruth]
"""The labels, their fingerprint, and what reads the truth."""


def _open(config: DataConfig, split: Split) -> Opened:
    opener = _BUILT_IN.get(config.form)
    if opener is not None:
        return opener(config, split)
    table, fingerprint = read_registered(config, split)
    return table, fingerprint, lambda: table_truth(table)


def _open_yolo(config: DataConfig, split: Split) -> Opened:
    table, fingerprint = open_yolo(config.images(split), config.names)
    return table, fingerprint, lambda: table_truth(table)


def _open_coco(config: DataConfig, split: Split) -> Opened:
    sources = config.images(split)
    if len(sources) != 1:
        raise UserError(f"{config.file}: with 'annotations', '{split}' must be one folder")
    return _open_json(config.annotations[split], sources[0])


def _open_shapes(config: DataConfig, split: Split) -> Opened:
    assert config.shapes is not None
    if split == "test":
        raise UserError(f"{config.file}: built-in shapes have 'train' and 'val' only")
    return _open_json(*draw_shapes(config.root, split, config.shapes))


def _open_json(file: Path, folder: Path) -> Opened:
    table, fingerprint = open_coco(file, folder)
    return table, fingerprint, lambda: coco_truth(file)


_BUILT_IN: dict[str, Callable[[DataConfig, Split], Opened]] = {
    "coco": _open_coco,
    "yolo": _open_yolo,
    "shapes": _open_shapes,
}
