"""A COCO JSON and its folder of images as a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from yolor_gp.data.labels.annotation_table import AnnotationTable
from yolor_gp.data.labels.coco_json import content_digest, load_json, parse_coco
from yolor_gp.data.labels.coco_values import area_of, is_crowd, usable_segmentation
from yolor_gp.data.labels.table_cache import cached_table
from yolor_gp.errors import UserError
from yolor_gp.files import did_you_mean_path


def open_coco(file: Path, image_folder: Path) -> tuple[AnnotationTable, str]:
    """The labels and their fingerprint, from the cache when the file has not changed.

    Raises:
        UserError: When the file is wrong, or its images are not there.
    """
    file, image_folder = file.absolute(), image_folder.absolute()
    if not image_folder.is_dir():
        hint = did_you_mean_path(image_folder) or "; check 'path', 'train', 'val'"
        raise UserError(f"{image_folder}: no such folder of images{hint}")
    table, fingerprint = cached_table(
        f"coco\n{file}\n{image_folder}",
        content_digest(file),
        lambda: parse_coco(file, image_folder),
    )
    if len(table) and not Path(table.path(0)).is_file():
        hint = did_you_mean_path(table.path(0)) or "; check the folder of images"
        raise UserError(f"{table.path(0)}: no such picture, though {file} lists it{hint}")
    return table, fingerprint


def coco_truth(file: Path) -> dict[str, Any]:
    """The COCO dictionary for the evaluator, crowds included.

    `iscrowd`, `area` and `id` are filled in where a file leaves them out or gives no number:
    pycocotools needs them, and never counts a match with annotation id 0. Polygons of less than
    three points are left out, which pycocotools refuses.
    """
    content = load_json(file)
    annotations = [dict(annotation) for annotation in content["annotations"]]
    ids = [annotation.get("id") for annotation in annotations]
    usable = all(isinstance(key, int) and key > 0 for key in ids) and len(set(ids)) == len(ids)
    for number, annotation in enumerate(annotations, start=1):
        if not usable:
            annotation["id"] = number
        annotation["iscrowd"] = int(is_crowd(annotation))
        annotation["area"] = area_of(annotation)
        annotation["segmentation"] = usable_segmentation(annotation.get("segmentation"))
    return {
        "info": content.get("info", {}),
        "images": content["images"],
        "annotations": annotations,
        "categories": sorted(content["categories"], key=lambda category: int(category["id"])),
    }
