"""The pictures that loaders are measured on, in the forms that each framework reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.settings import Settings
from yolor_gp.config.data_config import DataConfig, Split, load_data_config
from yolor_gp.data.datasets import open_dataset
from yolor_gp.data.detection_dataset import DetectionDataset

DONE = "complete"


def data_config(settings: Settings) -> DataConfig:
    """The user's COCO data set as both of its halves, or the built-in shapes."""
    if settings.images is None or settings.annotations is None:
        return load_data_config("shapes", settings.scratch / "shapes")
    file = settings.scratch / "given.yaml"
    write_coco_yaml(file, settings.images, settings.annotations)
    return load_data_config(file)


def write_coco_yaml(file: Path, images: Path, annotations: Path) -> None:
    """A data file of this project; JSON is YAML."""
    paths = {"train": str(annotations), "val": str(annotations)}
    content = {"path": "/", "train": str(images), "val": str(images), "annotations": paths}
    file.write_text(json.dumps(content), encoding="utf-8")


def open_given(settings: Settings, split: Split) -> DetectionDataset:
    """One half of the data set at the run's image size."""
    return open_dataset(data_config(settings), split, image_size=settings.image_size)


def copies(settings: Settings, times: int) -> Path:
    """A folder with the training half `times` over, each copy under a name of its own.

    So a small set stands for a large one, in which no picture comes back soon. Holds images/,
    labels/ in the field's text form, annotations.json and data.yaml. Made by the first who asks.
    """
    folder = settings.scratch / f"copies-{times}"
    if (folder / DONE).exists():
        return folder
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    dataset = open_given(settings, "train")
    truth = dataset.ground_truth().load()
    by_image: dict[int, list[dict[str, Any]]] = {}
    for annotation in truth["annotations"]:
        by_image.setdefault(annotation["image_id"], []).append(annotation)
    sources = {int(dataset.image_ids[i]): dataset.image_path(i) for i in range(len(dataset))}
    labels = {category["id"]: label for label, category in enumerate(truth["categories"])}
    written: dict[str, list[Any]] = {"images": [], "annotations": []}
    for image in truth["images"] * times:
        if image["id"] in sources:
            _add(folder, written, image, by_image.get(image["id"], []), sources, labels)
    content = {**written, "categories": truth["categories"]}
    (folder / "annotations.json").write_text(json.dumps(content), encoding="utf-8")
    write_coco_yaml(folder / "data.yaml", folder / "images", folder / "annotations.json")
    (folder / DONE).touch()
    return folder


def _add(
    folder: Path,
    written: dict[str, list[Any]],
    image: dict[str, Any],
    annotations: list[dict[str, Any]],
    sources: dict[int, str],
    labels: dict[int, int],
) -> None:
    number = len(written["images"]) + 1
    source = Path(sources[image["id"]])
    file = folder / "images" / f"{number:08d}{source.suffix}"
    file.symlink_to(source)
    written["images"].append({**image, "id": number, "file_name": file.name})
    lines = []
    for annotation in annotations:
        key = len(written["annotations"]) + 1
        written["annotations"].append({**annotation, "id": key, "image_id": number})
        rings = annotation.get("segmentation")
        if isinstance(rings, list) and rings and not annotation.get("iscrowd"):
            # A line holds one outline, so the parts of an object are joined.
            points = np.concatenate([np.asarray(ring).reshape(-1, 2) for ring in rings])
            relative = (points / (image["width"], image["height"])).clip(0, 1).reshape(-1)
            words = " ".join(f"{value:.6f}" for value in relative)
            lines.append(f"{labels[annotation['category_id']]} {words}")
    text = "\n".join(lines)
    (folder / "labels" / f"{number:08d}.txt").write_text(text, encoding="utf-8")


def class_names(folder: Path) -> dict[int, str]:
    """Names by label of a folder made by `copies`."""
    categories = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))["categories"]
    return {label: category["name"] for label, category in enumerate(categories)}
