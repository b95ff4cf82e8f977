"""Fourteen kinds of real input: what was answered before they were mended, and what is now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import yolor_gp
from tests.data.test_real_exports import QUICK, export
from tests.data.test_real_files import LABEL, OUTLINE, objects, video, yolo
from tests.tiny_network import TINY
from yolor_gp import UserError
from yolor_gp.config.data_config import load_data_config
from yolor_gp.media.sources import open_source

Answer = Callable[[Path], list[str]]


@dataclass(frozen=True)
class RealExport:
    """what: the input; before: what happened; answer: makes it in a folder, gives what is said."""

    what: str
    before: str
    answer: Answer


def doctor(data: Path) -> list[str]:
    """The first finding of each kind, but for those of one folder being both halves of the set."""
    first: dict[str, str] = {}
    for finding in yolor_gp.check_dataset(data).findings:
        first.setdefault(finding.kind, f"{finding.severity}: {finding}")
    return [
        line for kind, line in first.items() if kind not in ("train/val leakage", "duplicate image")
    ]


def coco(change: Callable[[int, dict[str, Any]], object]) -> Answer:
    """The doctor on a COCO set of four images, annotations changed."""
    return lambda root: doctor(export(root, change))


def _no_outlines(number: int, annotation: dict[str, Any]) -> None:
    if number % 2 == 0:
        annotation["segmentation"] = []


def _crowds(number: int, annotation: dict[str, Any]) -> None:
    runs = {"size": [64, 96], "counts": [10, 20, 64 * 96 - 30]}
    annotation |= {"iscrowd": 1, "segmentation": runs}


def _normalised(number: int, annotation: dict[str, Any]) -> None:
    annotation["bbox"] = [0.1, 0.15, 0.31, 0.31]
    del annotation["segmentation"]


def _beside(root: Path) -> list[str]:
    data = yolo(root)
    (root / "labels" / "1.txt").rename(root / "images" / "1.txt")
    return [*doctor(data), f"objects of each image: {objects(data)}"]


def _mixed(root: Path) -> list[str]:
    data = yolo(root)
    (root / "labels" / "0.txt").write_text(LABEL + OUTLINE)
    return doctor(data)


def _turned(root: Path) -> list[str]:
    data = yolo(root, ["0.tif"])
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (96, 64)).save(root / "images" / "0.tif", exif=exif)
    return doctor(data)


def _cut_video(root: Path) -> list[str]:
    whole = video(root / "whole.avi", "MJPG")
    cut = root / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])
    source = open_source(str(cut))
    for _ in source:
        pass
    return source.skipped


def _boxes_only(root: Path) -> list[str]:
    data = export(root, lambda number, annotation: annotation.pop("segmentation"))
    run = yolor_gp.load(TINY, device="cpu").train(data, **QUICK, project=root / "runs")
    return [f"exit code {run.exit_code}, figures: {', '.join(list(run.figures)[:3])}, ..."]


def _roboflow(root: Path) -> list[str]:
    for split in ("train", "valid"):
        yolo(root / split)
    data = root / "data.yaml"
    data.write_text(
        "train: ../train/images\nval: ../valid/images\nnc: 1\nnames: ['thing']\n"
        "roboflow: {workspace: w, project: p, version: 1, license: x, url: u}\n"
    )
    return [*doctor(data), f"objects of each image: {objects(data)}"]


def _one_image(root: Path) -> list[str]:
    words = {**QUICK, "img": 32, "batch_size": 1, "project": root / "runs"}
    try:
        yolor_gp.load("yolor-elan-n", device="cpu").train(export(root, count=1), **words)
    except UserError as error:
        return list(error.problems)
    return []


def _kinds(root: Path) -> list[str]:
    data = yolo(root, ["a.jpg", "b.avif", "c.mpo", "e.jfif"])
    (root / "images" / "f.heic").write_bytes(bytes(np.arange(64, dtype=np.uint8)))
    return [*doctor(data), f"objects of each image: {objects(data)}"]


def _names(root: Path) -> list[str]:
    data = yolo(root)
    data.write_text("train: images\nval: images\nnames: [yes, 12:30, 007, 1.10]\n")
    return [f"classes: {', '.join(load_data_config(data).names)}"]


CASES = (
    RealExport(
        "objects without outline among others",
        "stopped at the first validation, after all the epochs before it",
        coco(_no_outlines),
    ),
    RealExport(
        '`"area": "600"`',
        "a traceback in validation",
        coco(lambda number, annotation: annotation.update(area="600")),
    ),
    RealExport("every object `iscrowd: 1`", "trained on nothing, exit code 0", coco(_crowds)),
    RealExport(
        '`"iscrowd": "0"`',
        "taken as true",
        coco(lambda number, annotation: annotation.update(iscrowd="0")),
    ),
    RealExport(
        "a polygon of two points",
        "a traceback of pycocotools",
        coco(lambda number, annotation: annotation.update(segmentation=[[10, 10, 40, 30]])),
    ),
    RealExport("labels half beside the images", "those were not read, nothing said", _beside),
    RealExport("a TIFF that EXIF turns", "training stopped: two sizes of one image", _turned),
    RealExport("a video cut short", "the rest was missing, nothing said", _cut_video),
    RealExport("boxes only, any shipped model", "refused", _boxes_only),
    RealExport("data.yaml of Roboflow, as downloaded", "`unknown key 'roboflow'`", _roboflow),
    RealExport("boxes among polygons", "boxes became masks, nothing said", _mixed),
    RealExport("one image of one cell", "a traceback of batch normalisation", _one_image),
    RealExport("kinds of images", "left out silently", _kinds),
    RealExport("class names that YAML reads otherwise", "True, 750, 7, 1.1", _names),
    RealExport("normalised boxes in COCO JSON", "box loss 0, exit code 0", coco(_normalised)),
)
