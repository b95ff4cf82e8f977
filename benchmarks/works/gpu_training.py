"""Whole training on a GPU: loader, step and average; and how much of it is waiting for data."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from benchmarks.datasets import class_names, copies
from benchmarks.networks import our_network, parameters
from benchmarks.settings import Settings
from benchmarks.timing import Run, Timed, synchronize
from benchmarks.work import Target, Work
from benchmarks.works.loader import MANY, RECIPE
from benchmarks.works.training import our_stepper
from yolor_gp.config.data_config import load_data_config
from yolor_gp.config.train_config import AugmentConfig
from yolor_gp.data.datasets import open_dataset
from yolor_gp.data.loading.loader import train_loader
from yolor_gp.structures.batch import Batch

WARM, STEPS = 10, 30
"""Steps before the clock starts, and on the clock."""


def ours(settings: Settings, model: str, batch: int, resident: bool = False) -> Run:
    """The engine's stepper fed by the loader, or (resident) by images that are on the device."""
    network = our_network(model).to(settings.device).train()
    step = our_stepper(settings, network)
    batches = _batches(settings, batch)
    if resident:
        one = next(batches)
        batches = itertools.repeat(replace(one, images=one.images.to(settings.device)))
    facts: dict[str, Any] = {"parameters": parameters(network)}

    def run() -> Timed:
        for _ in range(WARM):
            step(next(batches))
        _forget_peak(settings.device)
        synchronize(settings.device)
        start = time.perf_counter()
        for _ in range(STEPS):
            step(next(batches))
        synchronize(settings.device)
        rate = STEPS * batch / (time.perf_counter() - start)
        return Timed(rate, facts | {"rate": rate, "memory": _peak(settings.device)})

    return run


def _batches(settings: Settings, batch: int) -> Iterator[Batch]:
    folder = copies(settings, MANY)
    dataset = open_dataset(
        load_data_config(folder / "data.yaml"), "train", image_size=settings.image_size
    )
    loader = train_loader(
        dataset, batch_size=batch, augment=AugmentConfig(), seed=0,
        workers=settings.workers, pin_memory=settings.device.startswith("cuda"),
    )  # fmt: skip
    return itertools.chain.from_iterable(map(loader.epoch, itertools.count()))


def ultralytics(settings: Settings, model: str, batch: int) -> Run:
    """The package's own trainer, one epoch a run, on the clock from its batch `WARM` on."""
    from ultralytics import YOLO

    folder = copies(settings, MANY)
    data = folder / "ultralytics.yaml"
    content = {
        "path": str(folder),
        "train": "images",
        "val": "images",
        "names": class_names(folder),
    }
    data.write_text(json.dumps(content), encoding="utf-8")
    device = settings.device.removeprefix("cuda").removeprefix(":") or "0"

    def run() -> Timed:
        clock = _Clock(settings.device, batch)
        yolo = YOLO(f"{model}.yaml", task="segment")
        yolo.add_callback("on_train_batch_end", clock.batch_ended)
        _forget_peak(settings.device)
        yolo.train(
            data=str(data), epochs=1, batch=batch, imgsz=settings.image_size, device=device,
            workers=settings.workers, val=False, plots=False, save=False, close_mosaic=0,
            project=str(settings.scratch), exist_ok=True, verbose=False, **RECIPE,
        )  # fmt: skip
        facts = {"parameters": parameters(yolo.model), "memory": _peak(settings.device)}
        return Timed(clock.rate(), facts)

    return run


class _Clock:
    """Images a second between two batches of an epoch."""

    def __init__(self, device: str, batch: int) -> None:
        self.device, self.batch = device, batch
        self.ended = 0
        self.start = self.stop = 0.0

    def batch_ended(self, _: Any) -> None:
        self.ended += 1
        if self.ended == WARM:
            synchronize(self.device)
            self.start = time.perf_counter()
        elif self.ended > WARM and (self.ended - WARM) % STEPS == 0:
            synchronize(self.device)
            self.stop, self.last = time.perf_counter(), self.ended

    def rate(self) -> float:
        """Raises `ValueError` where the epoch was too short."""
        if not self.stop:
            raise ValueError(f"{self.ended} batches an epoch; {WARM + STEPS} are needed")
        return (self.last - WARM) * self.batch / (self.stop - self.start)


def _forget_peak(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)


def _peak(device: str) -> float:
    """GiB."""
    return torch.cuda.max_memory_allocated(device) / 2**30 if device.startswith("cuda") else 0.0


def agree(mine: Any, theirs: Any) -> str:
    """Sizes and memory."""
    return (
        f"{mine['parameters']:,} and {theirs['parameters']:,} parameters; peak memory"
        f" {mine['memory']:.2f} and {theirs['memory']:.2f} GiB"
    )


def waiting(mine: Any, resident: Any) -> str:
    """The share of its time that the GPU has nothing to do."""
    return f"the GPU waits for data {max(0.0, 1 - mine['rate'] / resident['rate']):.1%} of the time"


_HERE = "benchmarks.works.gpu_training"


def _train(model: str, peer: str, batch: int) -> Work:
    return Work(
        name=f"train-{model}",
        title=f"training {model}, batch {batch}, 640, against {peer}",
        ours=f"{_HERE}:ours",
        peers={"ultralytics": f"{_HERE}:ultralytics"},
        unit="images/s",
        rate=True,
        target=None,
        repeats=3,
        warm=False,
        settle=3.0,
        devices=("cuda",),
        arguments={"model": model, "batch": batch},
        peer_arguments={"model": peer, "batch": batch},
        agree=agree,
    )


def _wait(model: str, batch: int) -> Work:
    return Work(
        name=f"wait-{model}",
        title=f"training {model}, batch {batch}, 640, against one batch kept on the GPU",
        ours=f"{_HERE}:ours",
        peers={"resident batch": f"{_HERE}:ours"},
        unit="images/s",
        rate=True,
        target=Target("at least", 0.95),
        repeats=3,
        settle=3.0,
        devices=("cuda",),
        arguments={"model": model, "batch": batch},
        peer_arguments={"model": model, "batch": batch, "resident": True},
        agree=waiting,
    )


WORKS = (
    # Peers of like cost: 159.0 and 159.4 GFLOPs, 143.2 and 142.2.
    _train("yolor-csp", "yolov9c-seg", 64),
    _train("yolor-elan", "yolo11l-seg", 64),
    _wait("yolor-csp", 64),
    _wait("yolor-elan", 64),
)
