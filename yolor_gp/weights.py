"""Weights to start from or to use: own checkpoints, safetensors, official files, Darknet's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from yolor_gp.config.model_spec import ModelSpec, load_model_spec
from yolor_gp.engine.checkpoints.checkpoint import (
    FORMAT,
    VERSION,
    DamagedCheckpointError,
    read_checkpoint,
    save_checkpoint,
)
from yolor_gp.engine.checkpoints.checkpointer import BEST, WEIGHTS
from yolor_gp.errors import UserError
from yolor_gp.files import check_writable
from yolor_gp.interop.darknet_cfg import is_darknet_cfg, read_darknet_cfg
from yolor_gp.interop.darknet_weights import (
    DarknetWeights,
    class_names,
    is_darknet_weights,
    read_darknet_weights,
)
from yolor_gp.interop.numbered_yolov7 import find_numbered_layers, import_numbered
from yolor_gp.interop.official_checkpoints import import_official
from yolor_gp.interop.pickle_values import TensorReference
from yolor_gp.interop.safetensors_weights import load_safetensors, save_safetensors
from yolor_gp.interop.torch_archive import TorchArchive, open_torch_archive
from yolor_gp.models.blocks.registry import find_block
from yolor_gp.models.builder import build_network
from yolor_gp.models.heads.classifier import Classifier
from yolor_gp.models.network import ClassifierNetwork, DetectionNetwork
from yolor_gp.ops.image_size import AnySize, ImageSize
from yolor_gp.plugins import loaded_plugins

MODEL_YAML, NAMES, IMAGE_SIZE, PLUGINS = "model_yaml", "names", "image_size", "plugins"
THRESHOLDS = "thresholds"
"""Keys of the description that travels with weights."""


Network = DetectionNetwork | ClassifierNetwork

_SUFFIXES = (".pt", ".pth", ".ckpt", ".safetensors")


@dataclass(frozen=True)
class Weights:
    """Tensors by name and what they belong to.

    image_size: trained at, None when unknown; plugins: that were loaded in the training;
    thresholds: by class name the score from which on it is shown, {} for none stored; partial: what
    is missing, for a file that is only good to train from; named_elsewhere: the names of its
    layers mean nothing to other networks, which are filled along the wiring.
    """

    spec: ModelSpec
    names: tuple[str, ...]
    tensors: Mapping[str, Tensor]
    image_size: ImageSize | None = None
    plugins: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    partial: str | None = None
    named_elsewhere: bool = False

    @property
    def is_classifier(self) -> bool:
        """Whether they say what is in an image, and not where."""
        head = find_block(self.spec.layers[-1].block) if self.spec.layers else None
        return head is not None and head.task == Classifier.task


def describe(network: Network, image_size: AnySize) -> dict[str, Any]:
    """Plain values from which the network can be built again."""
    return {
        MODEL_YAML: network.spec.resolved_yaml,
        NAMES: list(network.names),
        IMAGE_SIZE: ImageSize.of(image_size).plain,
        PLUGINS: list(loaded_plugins()),
    }


def read_model(path: str | Path) -> ModelSpec:
    """A model file by path or shipped name, or Darknet's `.cfg`.

    Raises:
        UserError: When it cannot be read or is wrong.
    """
    return read_darknet_cfg(path).spec if is_darknet_cfg(path) else load_model_spec(path)


def read_weights(path: str | Path, cfg: str | Path | None = None) -> Weights:
    """Read weights of any kind; of own checkpoints the averaged ones are taken.

    Args:
        path: A `.pt` (own or official), a `.safetensors`, a run folder, whose best weights are
            meant, or Darknet's `.weights`.
        cfg: The `.cfg` along which Darknet's are read, where it is one; else the one beside them.

    Raises:
        UserError: When they cannot be read.
    """
    file = Path(path)
    if is_darknet_weights(file):
        chosen = cfg if cfg is not None and is_darknet_cfg(cfg) else None
        return _of_darknet(read_darknet_weights(file, chosen))
    if file.is_dir():
        inside = [file / "weights" / BEST, file / BEST]
        file = next((candidate for candidate in inside if candidate.is_file()), inside[0])
    if not file.is_file():
        raise UserError(
            f"{file}: no such weights; expected a .pt, .safetensors, .weights or run folder"
        )
    if file.suffix == ".safetensors":
        spec, tensors, names = load_safetensors(file)
        return Weights(spec, names, tensors)
    # Not torch.load, whose restricted mode fails in many ways on damaged and hostile files.
    archive = open_torch_archive(file)
    if isinstance(archive.root, dict) and archive.root.get("format") == FORMAT:
        return _own_weights(archive)
    if (layers := find_numbered_layers(archive)) is not None:
        spec, tensors, names = import_numbered(archive, layers)
    else:
        spec, tensors, names = import_official(file)
    return Weights(spec, names, tensors)


def is_weights_file(source: str | Path) -> bool:
    """Whether `source` names weights (a folder or a weights file) rather than a model file."""
    path = Path(source)
    return path.is_dir() or path.suffix.lower() in _SUFFIXES or is_darknet_weights(path)


def network_of(
    weights: Weights, path: str | Path, *, device: str | torch.device = "cpu"
) -> Network:
    """The network that `weights`, read from `path`, belong to; in eval mode on `device`.

    Raises:
        UserError: When the weights are only part of a network, or do not fit their model.
    """
    if weights.partial is not None:
        raise UserError(f"{path}: {weights.partial}; it is only good to train from (--weights)")
    with plugins_named(weights.plugins, path):
        network = build_network(weights.spec, device=device, names=weights.names)
    try:
        network.load_state_dict(dict(weights.tensors))
    except RuntimeError as error:
        first = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: weights do not fit their model: {first}") from None
    return network.eval()


def save_network(network: Network, path: str | Path, image_size: AnySize) -> Path:
    """Write a network's weights in float32: `.safetensors` for others, `.pt` as training does.

    Returns:
        The file.

    Raises:
        UserError: When `path` ends otherwise or cannot be written.
    """
    file = Path(path)
    if file.suffix not in (".pt", ".safetensors"):
        raise UserError(f"{file}: expected a name that ends in .pt or .safetensors")
    check_writable(file)
    tensors = {
        name: (tensor.float() if tensor.is_floating_point() else tensor).cpu().contiguous()
        for name, tensor in network.state_dict().items()
    }
    if file.suffix == ".safetensors":
        save_safetensors(file, network.spec, tensors, network.names)
        return file
    state = {
        "kind": WEIGHTS,
        "description": describe(network, image_size),
        "average": {"updates": 0, "network": tensors},
    }
    save_checkpoint(state, file)
    return file


def _of_darknet(read: DarknetWeights) -> Weights:
    model, partial = read.model, None
    if not read.is_whole:
        partial = f"holds {read.found} of the {len(model.convolutions)} convolutions of its .cfg"
    return Weights(
        spec=model.spec,
        names=class_names(model.spec.file, model.spec.num_classes),
        tensors=read.tensors,
        image_size=None if model.image_size is None else ImageSize.of(model.image_size),
        partial=partial,
        named_elsewhere=True,
    )


def needed_plugins(description: Mapping[str, Any]) -> tuple[str, ...]:
    """The plugins that a description names and that are not loaded."""
    named = description.get(PLUGINS)
    words = named if isinstance(named, list) else []
    missing = [word[:200] for word in words if isinstance(word, str)]
    return tuple(word for word in missing if word not in loaded_plugins())


@contextmanager
def plugins_named(plugins: Sequence[str], path: str | Path) -> Iterator[None]:
    """Around the building of a network: what fails names the plugins that its file was made with.

    They are never loaded by themselves: the file is somebody else's word.

    Yields:
        Nothing; the network is built inside.

    Raises:
        UserError: What was raised inside, with a line that names the plugins.
    """
    try:
        yield
    except UserError as error:
        if not plugins:
            raise
        hint = f"{path}: was made with --plugins {' '.join(plugins)}; say so to load them"
        raise UserError(*error.problems, hint) from None


def _own_weights(archive: TorchArchive) -> Weights:
    match archive.root:
        case {"version": version} if version != VERSION:
            raise UserError(f"{archive.file}: written by another version, expected {VERSION}")
        case {
            "description": {"model_yaml": str() as text, "names": [*names], **others},
            "average": {"network": dict() as network},
        }:
            spec = ModelSpec.from_text(text, archive.file)
            plugins = needed_plugins({str(key): value for key, value in others.items()})
            tensors = archive.tensors(_references(network, archive.file))
            class_names = tuple(str(name)[:200] for name in names if isinstance(name, str))
            size, limits = _size_in(others.get(IMAGE_SIZE)), _thresholds_in(others)
            return Weights(spec, class_names, tensors, size, plugins, limits)
    raise UserError(f"{archive.file}: holds no network of this project")


def _size_in(value: object) -> ImageSize | None:
    """What a file says, None where it does not."""
    match value:
        case int() | [int(), int()]:
            return ImageSize.of(value)
    return None


def _thresholds_in(description: Mapping[object, object]) -> dict[str, float]:
    """What a file says, {} where it says nothing."""
    match description.get(THRESHOLDS):
        case dict() as found:
            pairs = {str(name): limit for name, limit in found.items() if isinstance(limit, float)}
            return {name: limit for name, limit in pairs.items() if 0 <= limit <= 1}
    return {}


def own_checkpoint(path: str | Path) -> Path:
    """The checkpoint of this project that `path` means: a file, or the best weights of a run.

    Raises:
        UserError: When it is none.
    """
    file = Path(path)
    file = file / "weights" / BEST if file.is_dir() else file
    if file.suffix != ".pt" or not file.is_file():
        raise UserError(f"{path}: expected a run folder, or a .pt that a training wrote")
    try:
        read_checkpoint(file)
    except DamagedCheckpointError as error:
        raise UserError(str(error)) from None
    return file


def store_thresholds(path: str | Path, thresholds: Mapping[str, float]) -> Path:
    """Keep the score from which on each class is shown with weights; the file is written anew.

    Raises:
        UserError: When it is no checkpoint of this project, or cannot be written.
    """
    file = own_checkpoint(path)
    state = read_checkpoint(file)
    description = {**state["description"], THRESHOLDS: dict(thresholds)}
    save_checkpoint({**state, "description": description}, file)
    return file


def _references(network: Mapping[object, object], file: str) -> dict[str, TensorReference]:
    references = {
        name: tensor
        for name, tensor in network.items()
        if isinstance(name, str) and isinstance(tensor, TensorReference)
    }
    if len(references) != len(network):
        raise UserError(f"{file}: damaged: not all of its weights are tensors")
    return references
