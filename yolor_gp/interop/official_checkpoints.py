"""YOLOv5, YOLOv7, YOLOv7-seg and YOLOR checkpoints, imported without running anything in them."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.errors import UserError
from yolor_gp.interop.official_module import OfficialModule, find_model
from yolor_gp.interop.official_spec import read_names, read_spec
from yolor_gp.interop.official_tensors import map_tensors
from yolor_gp.interop.torch_archive import open_torch_archive
from yolor_gp.models.builder import build_network
from yolor_gp.models.network import DetectionNetwork


def import_official(path: str | Path) -> tuple[ModelSpec, dict[str, Tensor], tuple[str, ...]]:
    """The model file, the float32 weights by our names, and the class names of a checkpoint.

    The network is described by the YAML dictionary inside; averaged weights (EMA) are preferred.
    `build_network(spec, names=names).load_state_dict(weights)` fits strictly.

    Raises:
        UserError: When it is not such a checkpoint, refused or damaged, or tensors do not fit.
    """
    archive = open_torch_archive(path)
    model = find_model(archive)
    spec = read_spec(archive, model, _head(model))
    names = read_names(model, spec.num_classes)
    network = build_network(spec, device="meta", names=names)
    if not isinstance(network, DetectionNetwork):
        raise UserError(f"{path}: its model file describes no detector")
    return spec, map_tensors(archive, model, network), names


def _head(model: OfficialModule) -> str:
    """The name of the last layer, `model.24`.

    Raises:
        UserError: When layers are not numbered one after the other.
    """
    layers = model.modules.get("model")
    children = [] if layers is None else list(layers.state.get("_modules", {}))
    if not children or children != [str(index) for index in range(len(children))]:
        raise UserError(f"{model.file}: its network is not a numbered sequence of layers")
    return f"model.{children[-1]}"
