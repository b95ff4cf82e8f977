"""Detectors from weights and model files, and weights carried from one network to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.errors import UserError
from yolor_gp.interop.transfer import TransferReport, transfer_along_wiring, transfer_backbone
from yolor_gp.interop.transfer import transfer as transfer_tensors
from yolor_gp.models.blocks.borrowed import load_pretrained
from yolor_gp.models.builder import build_network
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.ops.image_size import ImageSize
from yolor_gp.weights import (
    Network,
    Weights,
    is_weights_file,
    network_of,
    plugins_named,
    read_model,
    read_weights,
)


class ClassifierGivenError(UserError):
    """A classifier where a detector is expected."""


@dataclass(frozen=True)
class OpenedDetector:
    """A network in eval mode, and what its file says beside the weights.

    Attributes:
        network: With its weights.
        image_size: It was trained at, None when unknown.
        thresholds: By class name the score from which on it is shown; {} for none stored.
    """

    network: DetectionNetwork
    image_size: ImageSize | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)


def open_detector(
    source: str | Path,
    device: torch.device,
    classes: int | tuple[str, ...] | None = None,
    cfg: str | Path | None = None,
) -> OpenedDetector:
    """The network of a weights file or, with fresh weights, of a model file; in eval mode.

    Args:
        source: A weights file or run folder, or a model file by path or shipped name.
        device: Where it is built.
        classes: Build it for so many, or for these names; of the decoder the rows of classes that
            both know by name are kept.
        cfg: As of `read_weights`.

    Raises:
        UserError: When the file cannot be read, or its weights do not fit.
    """
    names = classes if isinstance(classes, tuple) else None
    if not is_weights_file(source):
        spec = _with_classes(read_model(source), classes)
        network = build_detector(spec, names, source, device)
        load_pretrained(network)
        return OpenedDetector(network.eval())
    weights = read_weights(source, cfg)
    spec = _with_classes(weights.spec, classes)
    if spec.num_classes == weights.spec.num_classes and names in (None, weights.names):
        network = _detector(network_of(weights, source, device=device), source)
        return OpenedDetector(network, weights.image_size, weights.thresholds)
    with plugins_named(weights.plugins, source):
        network = build_detector(spec, names, source, device)
    transfer(network, weights)
    return OpenedDetector(network.eval(), weights.image_size)


def load_network(path: str | Path, *, device: str | torch.device = "cpu") -> DetectionNetwork:
    """The network of a weights file, in eval mode on `device`.

    Raises:
        UserError: When they cannot be read, or do not fit their model.
    """
    return _detector(network_of(read_weights(path), path, device=device), path)


def build_detector(
    spec: ModelSpec, names: tuple[str, ...] | None, path: str | Path, device: str | torch.device
) -> DetectionNetwork:
    """A detector with fresh weights; `path` is what messages call it.

    Raises:
        UserError: When the model file is wrong, or is of a classifier.
    """
    return _detector(build_network(spec, device=device, names=names), path)


def transfer(network: DetectionNetwork, weights: Weights) -> TransferReport:
    """Copy what fits: of a decoder for other classes, the rows that mean the same."""
    if weights.is_classifier and not weights.named_elsewhere:
        return transfer_backbone(weights.tensors, weights.spec, network)
    same_layers = network.spec.layers[:-1] == weights.spec.layers[:-1]
    if weights.named_elsewhere and not same_layers:
        source = build_network(weights.spec, device="meta")
        return transfer_along_wiring(weights.tensors, source, network, weights.names)
    return transfer_tensors(weights.tensors, network, weights.names)


def _with_classes(spec: ModelSpec, classes: int | tuple[str, ...] | None) -> ModelSpec:
    if classes is None:
        return spec
    return spec.with_classes(classes if isinstance(classes, int) else len(classes))


def _detector(network: Network, path: str | Path) -> DetectionNetwork:
    """The network itself.

    Raises:
        ClassifierGivenError: When it is a classifier.
    """
    if not isinstance(network, DetectionNetwork):
        raise ClassifierGivenError(f"{path}: a classifier; expected a network that detects")
    return network
