"""The model file, anchors and class names that an official checkpoint carries along."""

from __future__ import annotations

from typing import Any

import torch
import yaml

from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.errors import UserError
from yolor_gp.interop.official_module import OfficialModule
from yolor_gp.interop.official_names import OFFICIAL_BLOCKS
from yolor_gp.interop.pickle_values import TensorReference, describe
from yolor_gp.interop.torch_archive import TorchArchive

_KEYS = ("nc", "depth_multiple", "width_multiple", "anchors", "backbone", "head")
_MAX_VALUES = 20_000
_MAX_YAML_DEPTH = 8
_MAX_LAYERS = 2_000
_MAX_NAME = 100


def read_spec(archive: TorchArchive, model: OfficialModule, head: str) -> ModelSpec:
    """The network's description: the YAML dictionary inside, with the head's classes and anchors.

    head: the name of the head among the checkpoint's modules, `model.24`.

    Raises:
        UserError: When the dictionary is missing or is no model file.
    """
    settings = model.root.state.get("yaml")
    if not isinstance(settings, dict):
        raise UserError(
            f"{model.file}: no model file inside (a dictionary called 'yaml'), found "
            f"{describe(settings)}; checkpoints of the Darknet kind cannot be imported"
        )
    if settings.get("ch", 3) != 3 or settings.get("activation") is not None:
        raise UserError(f"{model.file}: its model file sets 'ch' or 'activation': not supported")
    plain = _Plain(model.file)
    chosen = {key: plain(settings[key], 0) for key in _KEYS if key in settings}
    _check_size(model, chosen)
    classes = model.setting(head, "nc")
    if type(classes) is int:
        chosen["nc"] = classes
    chosen["anchors"] = _anchors(archive, model, head, chosen.get("anchors"))
    text = yaml.safe_dump(chosen, sort_keys=False, default_flow_style=None, width=1000)
    spec = ModelSpec.from_text(text, f"{model.file}: its model file")
    if spec.problems:
        raise UserError(*spec.problems)
    return spec


def read_names(model: OfficialModule, number: int) -> tuple[str, ...]:
    """The class names, `class0`, ... where the checkpoint gives none that fit."""
    names = model.root.state.get("names")
    if isinstance(names, dict):
        names = [names.get(index) for index in range(number)]
    if not isinstance(names, list | tuple) or len(names) != number:
        return tuple(f"class{index}" for index in range(number))
    return tuple(
        name[:_MAX_NAME] if isinstance(name, str) and name else f"class{index}"
        for index, name in enumerate(names)
    )


class _Plain:
    """Copies YAML values; refuses what no model file holds, and endless ones."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.left = _MAX_VALUES

    def __call__(self, value: Any, depth: int) -> Any:
        self.left -= 1
        if self.left < 0 or depth > _MAX_YAML_DEPTH:
            raise UserError(f"{self.file}: refused: its model file is endless")
        if isinstance(value, list | tuple):
            return [self(item, depth + 1) for item in value]
        if isinstance(value, str) and len(value) > _MAX_NAME:
            raise UserError(f"{self.file}: damaged: a word of its model file is {len(value)} long")
        if isinstance(value, int) and abs(value) < 2**31:
            return value
        if value is None or isinstance(value, str | float):
            return value
        raise UserError(f"{self.file}: damaged: its model file holds {describe(value)}")


def _check_size(model: OfficialModule, settings: dict[str, Any]) -> None:
    """A few words of a model file may ask for endless layers: no more than the file's modules.

    Raises:
        UserError: When it asks for more, or holds what is no layer.
    """
    layers = 0
    for section in ("backbone", "head"):
        for layer in settings.get(section) or ():
            if not (isinstance(layer, list) and len(layer) == 4 and layer[2] in OFFICIAL_BLOCKS):
                raise UserError(
                    f"{model.file}: its model file holds a layer that is not "
                    f"[from, number, module, args] with a known module: {str(layer)[:200]}"
                )
            layers += max(layer[1], 1) if isinstance(layer[1], int) else 1
    if layers > min(len(model.modules), _MAX_LAYERS):
        raise UserError(
            f"{model.file}: damaged: its model file describes {layers} layers, "
            f"but it holds only {len(model.modules)} modules"
        )


def _anchors(archive: TorchArchive, model: OfficialModule, head: str, written: Any) -> Any:
    """Anchor sizes in pixels: as written in the model file, unless training changed them.

    Raises:
        UserError: When the head has none, or of another shape.
    """
    anchors, stride = model.tensors.get(f"{head}.anchors"), model.setting(head, "stride")
    if anchors is None or not isinstance(stride, TensorReference):
        raise UserError(
            f"{model.file}: its head has no anchors or strides; expected {head}.anchors"
        )
    if len(anchors.shape) != 3 or anchors.shape[2] != 2 or stride.shape != anchors.shape[:1]:
        raise UserError(
            f"{model.file}: {head}.anchors has shape {list(anchors.shape)} and its strides "
            f"{list(stride.shape)}; expected [levels, anchors, 2] and [levels]"
        )
    loaded = archive.tensors({"anchors": anchors, "stride": stride})
    pixels = (loaded["anchors"] * loaded["stride"][:, None, None]).flatten(1)
    stored = [[round(size, 4) for size in level] for level in pixels.tolist()]
    try:
        same = torch.allclose(torch.tensor(written, dtype=torch.float32), pixels, rtol=2e-3)
    except (TypeError, ValueError, RuntimeError):  # not given, or "automatic": a single number
        return stored
    return written if same else stored
