"""Open a data set from its configuration, whatever its form."""

from __future__ import annotations

from typing import Literal

from yolor_gp.config.data_config import DataConfig, Split
from yolor_gp.data.detection_dataset import DetectionDataset
from yolor_gp.data.labels.coco_dataset import coco_truth, open_coco
from yolor_gp.data.labels.yolo_txt import open_yolo, yolo_truth
from yolor_gp.data.shapes.data_set import draw_shapes
from yolor_gp.errors import UserError


def open_dataset(
    config: DataConfig, split: Split, *, image_size: int, cache: Literal["none", "ram"] = "none"
) -> DetectionDataset:
    """One part of a data set; labels come from the cache when nothing has changed.

    Built-in shapes are drawn first where they are not there yet. Raises `UserError`.
    """
    name = f"{config.file} ({split})"
    if config.form == "yolo":
        table, fingerprint = open_yolo(config.images(split), config.names)
        return DetectionDataset(
            name, table, fingerprint, lambda: yolo_truth(table), image_size=image_size, cache=cache
        )
    if config.form == "shapes":
        assert config.shapes is not None
        file, folder = draw_shapes(config.root, split, config.shapes)
    else:
        sources = config.images(split)
        if len(sources) != 1:
            raise UserError(f"{config.file}: with 'annotations', '{split}' must be one folder")
        file, folder = config.annotations[split], sources[0]
    table, fingerprint = open_coco(file, folder)
    return DetectionDataset(
        name, table, fingerprint, lambda: coco_truth(file), image_size=image_size, cache=cache
    )
