"""One point of each curve; called in a process of its own."""

from __future__ import annotations

import itertools
import json
import os
import pickle
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.datasets import copies, write_coco_yaml
from benchmarks.growth.isolated import Point, family_memory, isolated
from benchmarks.inputs import FRAME, instances, prototypes
from benchmarks.inputs_coco import truth_and_results
from benchmarks.networks import our_network, training_batch
from benchmarks.settings import Settings
from benchmarks.works.training import our_stepper
from yolor_gp.config.data_config import load_data_config
from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.config.train_config import AugmentConfig, ValidationConfig
from yolor_gp.data.datasets import open_dataset
from yolor_gp.data.loading.loader import train_loader
from yolor_gp.detection.inference import Inference
from yolor_gp.engine.precision import choose_detection_precision
from yolor_gp.evaluation.coco_backends import accumulate
from yolor_gp.evaluation.coco_format import image_result, prepare_truth
from yolor_gp.models.builder import build_network
from yolor_gp.models.fuse import fuse
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.ops.boxes import boxes_to_letterbox
from yolor_gp.ops.letterbox import evaluation_letterbox
from yolor_gp.structures.detections import BoxMasks, Detections, PrototypeMasks

MODEL = "yolov5n-seg"
_BATCH = 4


def median_seconds(work: Callable[[], Any], repeats: int = 5) -> float:
    """Of several calls, after one that does not count."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def start(settings: Settings, annotations: int) -> Point:
    """Seconds to open a data set of so many annotations, first and from the cache."""
    folder = settings.scratch / f"start-{annotations}"
    folder.mkdir(exist_ok=True)
    file = folder / "annotations.json"
    _write_truth(file, annotations)
    (folder / "0.jpg").touch()
    write_coco_yaml(folder / "data.yaml", folder, file)
    first = isolated(_open, folder, settings.scratch)
    cached = isolated(_open, folder, settings.scratch)
    size = file.stat().st_size / 1e6
    file.unlink()
    return {
        "file": size, "first": first["seconds"], "memory": first["memory"],
        "cached": cached["seconds"], "cached_memory": cached["memory"],
    }  # fmt: skip


def _open(folder: Path, scratch: Path) -> Point:
    os.environ["XDG_CACHE_HOME"] = str(scratch / "labels")
    config = load_data_config(folder / "data.yaml")
    begin = time.perf_counter()
    dataset = open_dataset(config, "train", image_size=640)
    seconds = time.perf_counter() - begin
    assert len(dataset)
    return {"seconds": seconds}


def _write_truth(file: Path, annotations: int) -> None:
    """A truth of 1,000 annotations, repeated with new numbers; all images name one file."""
    truth, _ = truth_and_results(143, 20, with_masks=False)
    templates = [json.dumps(row)[1:] for row in _without_ids(truth["annotations"])]
    image_texts, texts = [], []
    per_image = len(templates) // len(truth["images"])
    for number in range(annotations):
        image = number // per_image + 1
        texts.append(
            f'{{"id": {number + 1}, "image_id": {image}, {templates[number % len(templates)]}'
        )
        if number % per_image == 0:
            name = f'"file_name": "{image - 1}.jpg", "height": 480, "width": 640'
            image_texts.append(f'{{"id": {image}, {name}}}')
    with file.open("w", encoding="utf-8") as stream:
        stream.write(f'{{"images": [{", ".join(image_texts)}], "annotations": [')
        stream.write(", ".join(texts))
        stream.write(f'], "categories": {json.dumps(truth["categories"])}}}')


def _without_ids(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: row[key] for key in row if key not in ("id", "image_id")} for row in rows]


def image_size(settings: Settings, side: int) -> Point:
    """A batch from the loader, a step, an inference."""
    torch.set_num_threads(settings.threads)
    here = replace(settings, image_size=side)
    config = load_data_config(copies(here, 1) / "data.yaml")
    dataset = open_dataset(config, "train", image_size=side, cache="ram")
    loader = train_loader(dataset, batch_size=_BATCH, augment=AugmentConfig(), seed=0, workers=0)
    batches = itertools.chain.from_iterable(map(loader.epoch, itertools.count()))
    network = our_network(MODEL).train()
    return {
        "batch": 1e3 * median_seconds(lambda: next(batches), 15),
        "step": 1e3 * _step_seconds(here, network, side),
        "inference": 1e3 * _inference_seconds(here, network, side),
    }


def _step_seconds(settings: Settings, network: DetectionNetwork, side: int) -> float:
    step, batch = our_stepper(settings, network), training_batch(_BATCH, side).ours()
    return median_seconds(lambda: step(batch), 3)


def _inference_seconds(settings: Settings, network: DetectionNetwork, side: int) -> float:
    device = torch.device("cpu")
    precision = choose_detection_precision("auto", device)
    inference = Inference.of(fuse(network.eval()), ValidationConfig(), device, precision)
    images = training_batch(1, side).images
    return median_seconds(lambda: inference(images))


def classes(settings: Settings, count: int) -> Point:
    """A step, an inference and an evaluation with `count` classes."""
    torch.set_num_threads(settings.threads)
    spec = ModelSpec.from_text(our_network(MODEL).spec.resolved_yaml, MODEL).with_classes(count)
    network = build_network(spec)
    assert isinstance(network, DetectionNetwork)
    truth, results = truth_and_results(200, 100, with_masks=False, classes=count)
    prepared, ids = prepare_truth(truth, with_masks=False), list(range(1, count + 1))
    figures = median_seconds(lambda: accumulate(prepared, results, ids, "bbox", "hotcoco"), 3)
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()) / 1e6,
        "step": 1e3 * _step_seconds(replace(settings, image_size=320), network.train(), 320),
        "inference": 1e3 * _inference_seconds(settings, network, 320),
        "figures": 1e3 * figures,
    }


def detections(settings: Settings, count: int) -> Point:
    """Masks and run lengths of one image, and the size of what an evaluator keeps."""
    torch.set_num_threads(settings.threads)
    found = instances(count)
    letterbox = evaluation_letterbox(found.size, FRAME)
    drawn = Detections(
        (FRAME, FRAME),
        boxes_to_letterbox(torch.from_numpy(found.boxes), letterbox),
        torch.from_numpy(found.scores),
        torch.from_numpy(found.labels),
        PrototypeMasks(torch.from_numpy(found.coefficients), torch.from_numpy(prototypes())),
    )
    original = drawn.to_original(letterbox)
    masks = original.masks
    assert isinstance(masks, BoxMasks)
    kept = pickle.dumps(image_result(1, original, with_masks=True))
    return {
        "masks": 1e3 * median_seconds(lambda: drawn.to_original(letterbox), 9),
        "rle": 1e3 * median_seconds(masks.rle, 9),
        "kept": len(kept) / 1e3,
    }


def workers(settings: Settings, count: int) -> Point:
    """Images a second of the loader, and the memory of its processes with the cache."""
    before = family_memory()
    config = load_data_config(copies(settings, 1) / "data.yaml")
    dataset = open_dataset(config, "train", image_size=settings.image_size, cache="ram")
    for index in range(len(dataset)):
        dataset.read_scaled(index)
    loader = train_loader(
        dataset, batch_size=settings.batch_size,
        augment=AugmentConfig(), seed=0, workers=count,
    )  # fmt: skip
    batches = itertools.chain.from_iterable(map(loader.epoch, itertools.count()))
    for _ in range(2 * count + 2):
        next(batches)
    rates = []
    for _ in range(5):
        begin = time.perf_counter()
        for _ in range(8):
            next(batches)
        rates.append(8 * settings.batch_size / (time.perf_counter() - begin))
    return {"rate": float(np.median(rates)), "family": family_memory() - before}
