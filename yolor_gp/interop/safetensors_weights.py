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
from yolor_gp.files import whole_file

# One key: the format keeps keys in no fixed order, and equal weights should be equal files.
_KEY = "yolor_gp"


def save_safetensors(
    path: str | Path, spec: ModelSpec, state_dict: Mapping[str, Tensor], names: Sequence[str]
) -> None:
    """Write a network's weights, its model file and its class names; all or nothing.

    Raises:
        UserError: When the file cannot be written.
    """
    tensors = {
        name: tensor.detach().cpu().contiguous().clone() for name, tensor in state_dict.items()
    }
    description = {"model": spec.resolved_yaml, "names": list(names)}
    metadata = {_KEY: json.dumps(description, ensure_ascii=False)}
    file = Path(path)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as opened:
            opened.write(safetensors.torch.save(tensors, metadata))
    except OSError as error:
        raise UserError(f"{file}: cannot be written ({error.strerror}); check the folder") from None


def load_safetensors(path: str | Path) -> tuple[ModelSpec, dict[str, Tensor], tuple[str, ...]]:
    """The model file, the weights and the class names that `save_safetensors` wrote.

    Raises:
        UserError: When the file is missing, damaged or was written by another program.
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
    text, names = _description(file, metadata.get(_KEY, ""))
    spec = ModelSpec.from_text(text, f"{file}: its model file")
    if spec.problems:
        raise UserError(*spec.problems)
    if len(names) != spec.num_classes:
        raise UserError(f"{file}: {len(names)} class names for {spec.num_classes} classes")
    return spec, tensors, names


def _description(file: Path, text: str) -> tuple[str, tuple[str, ...]]:
    try:
        match json.loads(text):
            case {"model": str() as model, "names": [*names]} if all(
                isinstance(name, str) and name for name in names
            ):
                return model, tuple(names)
    except (ValueError, RecursionError):
        pass
    raise UserError(
        f"{file}: its metadata has no model file and class names ('{_KEY}'); expected weights that "
        "yolor_gp wrote"
    )
