"""Classifiers from weights and model files."""

from __future__ import annotations

from pathlib import Path

import torch

from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.errors import UserError
from yolor_gp.models.blocks.borrowed import load_pretrained
from yolor_gp.models.builder import build_network
from yolor_gp.models.network import ClassifierNetwork
from yolor_gp.weights import (
    Network,
    is_weights_file,
    network_of,
    plugins_named,
    read_model,
    read_weights,
)


def open_classifier(
    source: str | Path,
    device: torch.device,
    classes: int | tuple[str, ...] | None = None,
) -> tuple[ClassifierNetwork, int | None]:
    """The network of a weights file or, with fresh weights, of a model file; in eval mode.

    Args:
        source: A weights file or run folder, or a model file by path or shipped name.
        device: Where it is built.
        classes: Build a model file's network for so many, or for these names.

    Returns:
        The network, and the size it was trained at where the file says.

    Raises:
        UserError: When the file cannot be read, or is no classifier's.
    """
    names = classes if isinstance(classes, tuple) else None
    if not is_weights_file(source):
        spec = read_model(source)
        if classes is not None:
            spec = spec.with_classes(classes if isinstance(classes, int) else len(classes))
        network = build_classifier(spec, names, source, device)
        load_pretrained(network)
        return network.eval(), None
    weights = read_weights(source)
    if classes is not None:
        raise UserError(f"{source}: its classes are fixed; train it on the data of others")
    network = as_classifier(network_of(weights, source, device=device), source)
    return network, None if weights.image_size is None else weights.image_size.height


def build_classifier(
    spec: ModelSpec,
    names: tuple[str, ...] | None,
    path: str | Path,
    device: str | torch.device,
    plugins: tuple[str, ...] = (),
) -> ClassifierNetwork:
    """A classifier with fresh weights; `path` is what messages call it.

    Raises:
        UserError: When the model file is wrong, or is of a detector.
    """
    with plugins_named(plugins, path):
        return as_classifier(build_network(spec, device=device, names=names), path)


def as_classifier(network: Network, path: str | Path) -> ClassifierNetwork:
    """The network itself.

    Raises:
        UserError: When it is a detector.
    """
    if not isinstance(network, ClassifierNetwork):
        raise UserError(f"{path}: a detector; expected a network that ends in a Classifier")
    return network


def check_input(network: ClassifierNetwork, size: int) -> None:
    """Refuse a side of the input, in pixels, that the network cannot take.

    Raises:
        UserError: With what its layers say.
    """
    meta = build_network(network.spec, device="meta").eval()
    try:
        with torch.no_grad():
            meta(torch.empty(2, 3, size, size, device="meta"))
    except (RuntimeError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"--img {size}: {network.spec.name} cannot take images of that size: {reason}"
        ) from None
