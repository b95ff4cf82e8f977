"""Training batches: mosaic, affine map, colours, flip and index maps; 16 images of 640 x 640."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from benchmarks.datasets import class_names, copies
from benchmarks.settings import Settings
from benchmarks.timing import Run, Timed
from benchmarks.work import Target, Work
from yolor_gp.config.data_config import load_data_config
from yolor_gp.config.train_config import AugmentConfig
from yolor_gp.data.datasets import open_dataset
from yolor_gp.data.loading.loader import train_loader

AHEAD = 12
"""Batches that do not count: workers have fewer ready when their turn begins, and the first
mosaics find no picture in memory."""

RECIPE = {
    "hsv_h": 0.015, "hsv_s": 0.7, "hsv_v": 0.4, "degrees": 0.0, "translate": 0.1, "scale": 0.9,
    "shear": 0.0, "perspective": 0.0, "flipud": 0.0, "fliplr": 0.5, "mosaic": 1.0, "mixup": 0.0,
    "copy_paste": 0.0,
}  # fmt: skip
"""This project's default augmentation in the peers' words."""

MANY = 8
"""How often a small data set is repeated where pictures must not come back from a cache."""


def _measured(batches: Iterator[Any], workers: int, size: int, facts: Any) -> Run:
    """Images a second, taken from the middle of the stream."""
    count = 16 if workers else 8

    def run() -> Timed:
        for _ in range(AHEAD):
            next(batches)
        start, before = time.perf_counter(), time.process_time()
        for _ in range(count):
            batch = next(batches)
        seconds, busy = time.perf_counter() - start, time.process_time() - before
        return Timed(count * size / seconds, facts(batch), None if workers else busy)

    return run


def _forever(loader: Iterable[Any]) -> Iterator[Any]:
    return itertools.chain.from_iterable(itertools.repeat(loader))


def ours(settings: Settings, cache: bool, workers: int) -> Run:
    """`data.loader.train_loader` with the default recipe."""
    folder = copies(settings, 1 if cache else MANY)
    side, size = settings.image_size, settings.batch_size
    dataset = open_dataset(
        load_data_config(folder / "data.yaml"), "train", image_size=side,
        cache="ram" if cache else "none",
    )  # fmt: skip
    if cache:
        for index in range(len(dataset)):
            dataset.read_scaled(index)
    loader = train_loader(
        dataset, batch_size=size, augment=AugmentConfig(), seed=0, workers=workers
    )
    batches = itertools.chain.from_iterable(map(loader.epoch, itertools.count()))

    def facts(batch: Any) -> dict[str, float]:
        covered = float((batch.targets.index_map > 0).float().mean())
        return {"grey": float(batch.images.float().mean()), "covered": covered}

    return _measured(batches, workers, size, facts)


def yolov5(settings: Settings, cache: bool, workers: int) -> Run:
    """`create_dataloader` of the package's segmentation part."""
    _without_albumentations()
    from yolov5.utils.segment.dataloaders import create_dataloader

    folder = copies(settings, 1 if cache else MANY)
    loader, _ = create_dataloader(
        str(folder / "images"), settings.image_size, settings.batch_size, 32, hyp=RECIPE,
        augment=True, cache="ram" if cache else None, workers=workers, shuffle=True,
        mask_downsample_ratio=4, overlap_mask=True,
    )  # fmt: skip
    return _measured(_forever(loader), workers, settings.batch_size, _yolov5_facts)


def _yolov5_facts(batch: Any) -> dict[str, float]:
    images, masks = batch[0], batch[4]
    return {"grey": float(images.float().mean()), "covered": float((masks > 0).float().mean())}


def ultralytics(settings: Settings, cache: bool, workers: int) -> Run:
    """`build_yolo_dataset` and `build_dataloader` of the package."""
    _without_albumentations()
    from ultralytics.cfg import get_cfg
    from ultralytics.data.build import build_dataloader, build_yolo_dataset

    folder = copies(settings, 1 if cache else MANY)
    overrides = {
        "task": "segment",
        "imgsz": settings.image_size,
        "cache": "ram" if cache else False,
    }
    dataset = build_yolo_dataset(
        get_cfg(overrides=overrides | RECIPE), str(folder / "images"), settings.batch_size,
        {"names": class_names(folder), "nc": len(class_names(folder)), "channels": 3}, mode="train",
    )  # fmt: skip
    loader = build_dataloader(
        dataset, settings.batch_size, workers, shuffle=True, rank=-1, pin_memory=False
    )
    return _measured(_forever(loader), workers, settings.batch_size, _ultralytics_facts)


def _ultralytics_facts(batch: Any) -> dict[str, float]:
    covered = float((batch["masks"] > 0).float().mean())
    return {"grey": float(batch["img"].float().mean()), "covered": covered}


def _without_albumentations() -> None:
    """Keeps the peers from adding a hundredth of blur: the same work for everybody."""
    sys.modules["albumentations"] = None  # type: ignore[assignment]


def agree(mine: Any, theirs: Any) -> str:
    """What one batch of each looks like; they are drawn at random, so only nearly alike."""
    assert np.isfinite([*mine.values(), *theirs.values()]).all()
    return (
        f"mean grey {mine['grey']:.0f} and {theirs['grey']:.0f}, covered by objects"
        f" {mine['covered']:.0%} and {theirs['covered']:.0%}"
    )


def _work(cache: bool, workers: int, factor: float) -> Work:
    here = "benchmarks.works.loader"
    kind = "RAM cache" if cache else "no cache"
    return Work(
        name=f"loader-{'ram' if cache else 'disk'}-{workers}",
        title=f"training batches of 16 at 640, {kind}, {workers} workers",
        ours=f"{here}:ours",
        peers={"yolov5": f"{here}:yolov5", "ultralytics": f"{here}:ultralytics"},
        unit="images/s",
        rate=True,
        target=Target("at least", factor),
        repeats=5,
        # Workers go on after a turn until their queues are full.
        settle=2.0 if workers else 0.0,
        arguments={"cache": cache, "workers": workers},
        agree=agree,
    )


WORKS = (_work(True, 0, 4), _work(True, 2, 4), _work(False, 0, 3), _work(False, 2, 2.5))
