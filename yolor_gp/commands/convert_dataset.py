"""`convert_dataset.py`: a data set in another format, divided anew if asked for.

Reads every format that training reads (COCO JSON, YOLO txt, Pascal VOC, LabelMe, plugins'); writes
coco, yolo, voc or labelme, with a data.yaml to train from. Pictures are linked, or copied.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from yolor_gp.config.data_config import Split, load_data_config
from yolor_gp.data.convert.divide import alike_groups, divided, picture_hash
from yolor_gp.data.convert.write import WRITERS, Picture, Target, data_yaml
from yolor_gp.data.datasets import open_dataset
from yolor_gp.errors import UserError
from yolor_gp.files import check_writable, write_text
from yolor_gp.flags.convert_dataset import parser

_PARTS: tuple[Split, ...] = ("train", "val", "test")


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert; prints what was written and what the format could not hold.

    Raises:
        UserError: When flags contradict each other, or the target is there already.
    """
    options = parser().parse(arguments)
    shares = _shares(options.split) if options.split else None
    if shares and options.folds:
        raise UserError("--split and --folds: choose one")
    if options.folds and options.to not in ("coco", "yolo"):
        raise UserError(f"--folds: written as coco or yolo, not as {options.to}")
    folder = Path(options.out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: is there already; --out names a new or empty folder")
    check_writable(folder, folder=True)
    lost: Counter[str] = Counter()
    names, parts = _read(options.data, lost)
    target = Target(folder, names, lost)
    if options.folds:
        pooled = [picture for pictures in parts.values() for picture in pictures]
        part = _divide(pooled, names, [1 / options.folds] * options.folds, options.seed)
        for fold in range(options.folds):
            chosen = {
                f"fold{fold}_train": [p for p, k in zip(pooled, part, strict=True) if k != fold],
                f"fold{fold}_val": [p for p, k in zip(pooled, part, strict=True) if k == fold],
            }
            _write(options.to, target, chosen, f"fold{fold}.yaml")
    else:
        if shares:
            pooled = [picture for pictures in parts.values() for picture in pictures]
            part = _divide(pooled, names, shares, options.seed)
            parts = {
                name: [p for p, k in zip(pooled, part, strict=True) if k == number]
                for number, name in enumerate(_PARTS[: len(shares)])
            }
        _write(options.to, target, parts, "data.yaml")
    for what, count in sorted(lost.items()):
        if count:
            print(f"not kept as they were: {what} ({count})")
    return 0


def _shares(text: str) -> list[float]:
    try:
        numbers = [float(word) for word in text.replace(":", "/").split("/")]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3) or min(numbers, default=0) <= 0:
        raise UserError(f"--split {text}: expected two or three numbers, such as 80/20 or 80/10/10")
    return [number / sum(numbers) for number in numbers]


def _read(source: str, lost: Counter[str]) -> tuple[tuple[str, ...], dict[str, list[Picture]]]:
    config = load_data_config(source)
    parts: dict[str, list[Picture]] = {}
    names: tuple[str, ...] = ()
    taken: set[str] = set()
    for split in _PARTS:
        if not (getattr(config, split) or (config.form == "shapes" and split != "test")):
            continue
        dataset = open_dataset(config.without_slices(), split, image_size=640)
        names = names or dataset.names
        if config.form == "coco":
            truth = dataset.ground_truth().load()["annotations"]
            lost["crowd regions"] += sum(bool(row.get("iscrowd")) for row in truth)
        parts[split] = []
        for index in range(len(dataset)):
            path = Path(dataset.image_path(index))
            size, instances = dataset.original_size(index), dataset.instances(index)
            parts[split].append(Picture(path, _free_name(path, taken), size, instances))
    return names, parts


def _free_name(path: Path, taken: set[str]) -> str:
    """The picture's own name; where that is taken, with the name of its folder in front."""
    name, number = path.name, 1
    if Path(name).stem in taken:
        name = f"{path.parent.name}-{path.name}"
    while Path(name).stem in taken:
        number += 1
        name = f"{path.stem}-{number}{path.suffix}"
    taken.add(Path(name).stem)
    return name


def _divide(
    pictures: list[Picture], names: tuple[str, ...], shares: Sequence[float], seed: int
) -> list[int]:
    if len(pictures) < len(shares):
        raise UserError(f"{len(pictures)} images cannot be divided into {len(shares)} parts")
    counts = np.stack([np.bincount(p.instances.labels, minlength=len(names)) for p in pictures])
    hashes = np.stack([picture_hash(str(p.source)) for p in tqdm(pictures, "comparing")])
    groups = alike_groups(hashes)
    together = len(pictures) - len(np.unique(groups))
    if together:
        print(f"{together} images are near duplicates of others; they stay together")
    part = divided(counts.astype(np.int64), groups, shares, seed).tolist()
    for number in range(len(shares)):
        if number not in part:
            raise UserError("nearly all images are alike, so that a part would be empty")
    return [int(k) for k in part]


def _write(form: str, target: Target, parts: dict[str, list[Picture]], name: str) -> None:
    for part, pictures in parts.items():
        WRITERS[form](target, part, pictures)
        objects = sum(len(picture.instances) for picture in pictures)
        print(f"{part}: {len(pictures)} images, {objects} objects")
    kinds = {part.rpartition("_")[2]: part for part in parts}
    print(f"wrote {write_text(target.folder / name, data_yaml(form, kinds, target.names))}")
