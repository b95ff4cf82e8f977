"""The module tree inside an official checkpoint, as inert records: its tensors and its settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from yolor_gp.errors import UserError
from yolor_gp.interop.pickle_values import Instance, TensorReference, describe
from yolor_gp.interop.torch_archive import TorchArchive

_MAX_DEPTH = 30
_MAX_MODULES = 20_000


@dataclass(frozen=True)
class OfficialModule:
    """A pickled `nn.Module`: every tensor and every module below it by its dotted name."""

    file: str
    root: Instance
    tensors: Mapping[str, TensorReference]
    modules: Mapping[str, Instance]

    def setting(self, name: str, key: str) -> Any:
        """The attribute `key` of the module called `name`, None where there is none."""
        module = self.modules.get(name)
        return None if module is None else module.state.get(key)


def find_model(archive: TorchArchive) -> OfficialModule:
    """The network in a checkpoint: the averaged one (EMA) where present, else the raw one.

    Raises:
        UserError: When there is none, or one with too many modules.
    """
    root = archive.root
    candidates = [root]
    if isinstance(root, dict):
        candidates = [root.get("ema"), root.get("model")]
    for candidate in candidates:
        if isinstance(candidate, Instance):
            tensors: dict[str, TensorReference] = {}
            modules: dict[str, Instance] = {}
            for name, module in _walk(archive.file, candidate, "", 0):
                modules[name] = module
                if len(modules) > _MAX_MODULES:
                    raise UserError(f"{archive.file}: refused: more than {_MAX_MODULES} modules")
                tensors.update(_own_tensors(archive.file, name, module))
            return OfficialModule(archive.file, candidate, tensors, modules)
    found = describe(root)
    if isinstance(root, dict):
        words = [key for key in root if isinstance(key, str)][:8]
        found = f"a dictionary of {', '.join(words) or 'nothing named'}"
    raise UserError(
        f"{archive.file}: no network inside; expected an official checkpoint with 'model' or 'ema',"
        f" found {found[:300]}"
    )


def _walk(file: str, module: Instance, name: str, depth: int) -> Iterator[tuple[str, Instance]]:
    if depth > _MAX_DEPTH:
        raise UserError(f"{file}: refused: modules more than {_MAX_DEPTH} deep")
    yield name, module
    for key, child in _named(file, module, "_modules"):
        if not isinstance(child, Instance):
            raise UserError(f"{file}: damaged: {name}.{key} is {describe(child)}, not a module")
        yield from _walk(file, child, f"{name}.{key}" if name else key, depth + 1)


def _own_tensors(file: str, name: str, module: Instance) -> Iterator[tuple[str, TensorReference]]:
    for kind in ("_parameters", "_buffers"):
        for key, tensor in _named(file, module, kind):
            if not isinstance(tensor, TensorReference):
                raise UserError(f"{file}: damaged: {name}.{key} is {describe(tensor)}, no tensor")
            yield f"{name}.{key}" if name else key, tensor


def _named(file: str, module: Instance, kind: str) -> Iterator[tuple[str, Any]]:
    """The children of a kind that are not None, each under a word.

    Yields:
        Word and child.

    Raises:
        UserError: When they are no dictionary, or one is called by something else.
    """
    children = module.state.get(kind, {})
    if not isinstance(children, dict):
        raise UserError(f"{file}: damaged: {kind} of {module.kind} is {describe(children)}")
    for key, child in children.items():
        if not isinstance(key, str) or not key or "." in key or len(key) > 100:
            raise UserError(f"{file}: damaged: a child of {module.kind} has no proper name")
        if child is not None:
            yield key, child
