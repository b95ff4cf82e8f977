"""What is examined: a trained network, and images or objects with their classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from yolor_gp.classification.batches import ValBatches
from yolor_gp.classification.labelled_images import LabelledImages
from yolor_gp.classification.networks import check_input
from yolor_gp.classification.open_data import open_data
from yolor_gp.config.data_config import load_data_config
from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.data.datasets import open_dataset
from yolor_gp.data.loading.loader import val_loader
from yolor_gp.errors import UserError
from yolor_gp.models.network import ClassifierNetwork, DetectionNetwork
from yolor_gp.models.plan import check_image_size
from yolor_gp.ops.image_size import ImageSize
from yolor_gp.weights import Network, network_of, read_weights

Part = Literal["train", "test"]

_DEFAULT_SIZE = 224
_CROP = 1.0
_PIXELS = 128 * 160 * 160
"""Run through a network at once."""


@dataclass(frozen=True)
class Batch:
    """Images and what is to be recognised in them.

    Attributes:
        images: u8[B, 3, H, W].
        labels: i64[n]: of the images, or of the objects in them.
        regions: f32[n, 5], image and box xyxy in its pixels, for objects; None: whole images.
    """

    images: Tensor
    labels: Tensor
    regions: Tensor | None = None


@dataclass(frozen=True)
class Examined:
    """A network and the two parts of its data.

    Attributes:
        source: What it was read from.
        network: In float32.
        run: Takes images f32[B, 3, H, W] in 0..1 through it; gives the logits of a classifier.
        size: Of the input.
        names: Of the classes.
        batches: The batches of a part, the same each time.
        is_classifier: Whether whole images have classes.
        fingerprint: Of the data that are looked at.
        batch_size: Images of a batch.
    """

    source: str
    network: nn.Module
    spec: ModelSpec
    run: Callable[[Tensor], Tensor | None]
    size: ImageSize
    names: tuple[str, ...]
    batches: Callable[[Part], Iterable[Batch]]
    is_classifier: bool
    fingerprint: str
    batch_size: int

    def see(self, batch: Batch) -> Tensor | None:
        """Run a batch through the network; gives the logits of a classifier."""
        device = next(self.network.parameters()).device
        return self.run(batch.images.to(device).float() / 255)


def open_examined(
    source: str | Path,
    data: str,
    *,
    images: int,
    size: ImageSize | None = None,
    batch_size: int = 0,
    workers: int = 0,
    device: torch.device = torch.device("cpu"),  # noqa: B008
) -> Examined:
    """Open weights with `images` pictures of either part of `data`.

    Args:
        source: Run folder or weights, of a classifier or a detector.
        data: A folder of labelled images for a classifier, a data YAML for a detector.
        images: At most so many of each part, drawn once for all.
        size: Of the input; None: that of training.
        batch_size: Images at once; 0: 128 of up to 160 px, fewer of larger ones, at least 8.
        workers: Threads that load images.
        device: Where the network runs.

    Raises:
        UserError: When weights or data cannot be read, or do not belong together.
    """
    weights = read_weights(source)
    network = network_of(weights, source, device=device).float()
    found = size or weights.image_size or ImageSize(_DEFAULT_SIZE, _DEFAULT_SIZE)
    batch_size = batch_size or max(min(_PIXELS // found.pixels, 128), 8)
    if isinstance(network, ClassifierNetwork):
        batches, fingerprint = _of_images(
            network, data, images, found, batch_size, workers, str(source)
        )
    else:
        batches, fingerprint = _of_objects(
            network, data, images, found, batch_size, workers, str(source)
        )

    def run(pictures: Tensor) -> Tensor | None:
        if isinstance(network, ClassifierNetwork):
            logits: Tensor = network(pictures)
            return logits
        network.forward_levels(pictures)
        return None

    return Examined(
        str(source), network, weights.spec, run, found, network.names, batches,
        isinstance(network, ClassifierNetwork), fingerprint, batch_size,
    )  # fmt: skip


def _of_images(
    network: ClassifierNetwork,
    data: str,
    images: int,
    size: ImageSize,
    batch_size: int,
    workers: int,
    source: str,
) -> tuple[Callable[[Part], Iterable[Batch]], str]:
    if not size.is_square:
        raise UserError(f"--img {size}: classifiers take squares; name one side")
    check_input(network, size.height)
    opened = open_data(data)
    _check_names(network, opened.train.names, data, source)
    parts = {"train": _drawn(opened.train, images), "test": _drawn(opened.val, images)}

    def batches(part: Part) -> Iterator[Batch]:
        loader = ValBatches(parts[part], size.height, _CROP, batch_size=batch_size, workers=workers)
        return (Batch(batch.images, batch.targets) for batch in loader)

    return batches, f"{opened.fingerprint} {images}"


def _of_objects(
    network: DetectionNetwork,
    data: str,
    images: int,
    size: ImageSize,
    batch_size: int,
    workers: int,
    source: str,
) -> tuple[Callable[[Part], Iterable[Batch]], str]:
    check_image_size(size, network.max_stride)
    config = load_data_config(data)
    parts = {
        "train": open_dataset(config, "train", image_size=size),
        "test": open_dataset(config, "val", image_size=size),
    }
    _check_names(network, parts["train"].names, data, source)

    def batches(part: Part) -> Iterator[Batch]:
        left = images
        for batch in val_loader(parts[part], batch_size=batch_size, workers=workers):
            targets = batch.targets
            kept = targets.image_index < left
            regions = torch.cat((targets.image_index[:, None].float(), targets.boxes), 1)
            yield Batch(batch.images[:left], targets.labels[kept], regions[kept])
            left -= len(batch)
            if left <= 0:
                return

    return batches, f"{parts['train'].fingerprint} {parts['test'].fingerprint} {images}"


def _drawn(images: LabelledImages, count: int) -> LabelledImages:
    if len(images) <= count:
        return images
    chosen = np.sort(np.random.default_rng(0).choice(len(images), count, replace=False))
    pictures = None if images.pictures is None else images.pictures[chosen]
    paths = tuple(images.paths[index] for index in chosen.tolist())
    return replace(images, labels=images.labels[chosen], paths=paths, pictures=pictures)


def _check_names(network: Network, names: tuple[str, ...], data: str, source: str) -> None:
    if len(names) != network.num_classes:
        raise UserError(
            f"{data}: {len(names)} classes, but {source} was trained for {network.num_classes};"
            " use the data it was trained on"
        )
