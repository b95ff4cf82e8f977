"""The names a checkpoint's pickle may ask for, and what each becomes: never the thing itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from yolor_gp.interop.pickle_classes import MAX_NAME, is_class
from yolor_gp.interop.pickle_constructors import CONSTRUCTORS, MAX_LENGTH
from yolor_gp.interop.pickle_values import (
    Global,
    PickleRefusedError,
    StorageReference,
    describe,
)

_STORAGES: Mapping[str, torch.dtype] = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_DTYPES = {
    str(dtype).removeprefix("torch."): dtype for dtype in (*_STORAGES.values(), torch.complex64)
}
_RENAMED_MODULES = {
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "numpy._core.multiarray": "numpy.core.multiarray",
    "pathlib._local": "pathlib",
}


def find_name(module: str, name: str) -> Global | torch.dtype:
    """Look a global up in the allow-list.

    Raises:
        PickleRefusedError: When it is not there, with the name asked for.
    """
    if len(module) > MAX_NAME or len(name) > MAX_NAME:
        raise PickleRefusedError(f"it asks for {module[:50]}.{name[:50]}..., which is no name")
    wanted = Global(_RENAMED_MODULES.get(module, module), name)
    if wanted.module == "torch" and name in _DTYPES:
        return _DTYPES[name]
    if is_class(wanted) or _key(wanted) in CONSTRUCTORS or _is_storage(wanted):
        return wanted
    raise PickleRefusedError(
        f"it asks for {f'{module}.{name}'!r}, which is not among the harmless names of a checkpoint"
    )


def call(function: object, arguments: object) -> Any:
    """What calling an allowed name would have given, as inert values.

    Raises:
        PickleRefusedError: When the name is not allowed, or the arguments do not fit.
    """
    if not isinstance(function, Global) or _key(function) not in CONSTRUCTORS:
        raise PickleRefusedError(f"it calls {describe(function)}, which no checkpoint needs")
    if not isinstance(arguments, tuple):
        raise PickleRefusedError(f"it calls {function} with something that is no tuple")
    try:
        return CONSTRUCTORS[_key(function)](*arguments)
    except (TypeError, ValueError, OverflowError, UnicodeError):
        raise PickleRefusedError(f"it calls {function} with arguments that do not fit") from None


def load_storage(identifier: object) -> StorageReference:
    """The storage behind a persistent id: ('storage', type, key, device, length).

    Raises:
        PickleRefusedError: When torch.save does not write such an id.
    """
    match identifier:
        case ("storage", Global() as kind, str() as key, str(), int() as length, *rest) if (
            _is_storage(kind) and len(key) <= MAX_NAME and 0 <= length < MAX_LENGTH
        ):
            if rest in ([], [None]):  # the legacy form ends with the view, never used by torch
                return StorageReference(key, _STORAGES[kind.name], length)
    raise PickleRefusedError("it refers to stored numbers in a way torch.save does not write")


def _key(wanted: Global) -> tuple[str, str]:
    return wanted.module, wanted.name


def _is_storage(wanted: Global) -> bool:
    return wanted.module == "torch" and wanted.name in _STORAGES
