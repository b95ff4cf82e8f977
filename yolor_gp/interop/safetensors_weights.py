"""Own weights as safetensors: tensors, with the model file and the class names in the metadata.

The file alone is enough to rebuild the network, and reading it cannot run anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.errors import UserError

_MODEL_KEY = "yolor_gp.model"
_NAMES_KEY = "yolor_gp.names"
_MAX_NAMES = 65_536


def save_safetensors(
    path: str | Path, spec: ModelSpec, state_dict: Mapping[str, Tensor], names: Sequence[str]
) -> None:
    """Write a network's weights, its model file and its class names; all or nothing.

    Raises `UserError` when the file cannot be written.
    """
    tensors = {
        name: tensor.detach().cpu().contiguous().clone() for name, tensor in state_dict.items()
    }
    metadata = {
        "format": "pt",
        _MODEL_KEY: spec.resolved_yaml,
        _NAMES_KEY: json.dumps(list(names), ensure_ascii=False),
    }
    file = Path(path)
    unfinished = file.with_name(f"{file.name}.unfinished")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(safetensors.torch.save(tensors, metadata))
        unfinished.replace(file)
    except OSError as error:
        raise UserError(f"{file}: cannot be written ({error.strerror}); check the folder") from None


def load_safetensors(path: str | Path) -> tuple[ModelSpec, dict[str, Tensor], tuple[str, ...]]:
    """The model file, the weights and the class names that `save_safetensors` wrote.

    Raises `UserError` when the file is missing, damaged or was written by another program.
    """
    file = Path(path)
    if not file.is_file():
        raise UserError(f"{file}: no such file")
    try:
        with safetensors.safe_open(str(file), framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError, RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:150]
        raise UserError(f"{file}: not a safetensors file, or damaged ({reason})") from None
    if _MODEL_KEY not in metadata:
        raise UserError(
            f"{file}: its metadata has no model file ('{_MODEL_KEY}'); expected weights that "
            "yolor_gp wrote"
        )
    spec = ModelSpec.from_text(metadata[_MODEL_KEY], f"{file}: its model file")
    if spec.problems:
        raise UserError(*spec.problems)
    return spec, tensors, _names(file, metadata.get(_NAMES_KEY, ""), spec)


def _names(file: Path, text: str, spec: ModelSpec) -> tuple[str, ...]:
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        names = None
    right = isinstance(names, list) and all(isinstance(name, str) and name for name in names)
    if not right or len(names) != spec.num_classes or len(names) > _MAX_NAMES:
        raise UserError(
            f"{file}: its metadata has no list of {spec.num_classes} class names ('{_NAMES_KEY}')"
        )
    return tuple(names)
