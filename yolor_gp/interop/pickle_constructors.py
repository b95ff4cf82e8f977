"""The harmless constructors of a checkpoint's pickle, as functions that give inert values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from yolor_gp.interop.pickle_classes import IDENTIFIER, MAX_NAME, check_key, is_class
from yolor_gp.interop.pickle_values import (
    Global,
    Instance,
    PickleRefusedError,
    StorageReference,
    TensorReference,
    describe,
)

_MAX_DIMENSIONS = 8
MAX_LENGTH = 1 << 48


def _lengths(value: object) -> tuple[int, ...]:
    if not isinstance(value, tuple) or len(value) > _MAX_DIMENSIONS:
        raise ValueError
    if not all(type(length) is int and 0 <= length < MAX_LENGTH for length in value):
        raise ValueError
    return value


def _tensor(storage: object, offset: object, shape: object, stride: object, *_: object) -> Any:
    shape, stride = _lengths(shape), _lengths(stride)
    if not isinstance(storage, StorageReference) or len(shape) != len(stride):
        raise ValueError
    if type(offset) is not int or not 0 <= offset < MAX_LENGTH:
        raise ValueError
    reference = TensorReference(storage, offset, shape, stride)
    if reference.elements == 0:
        last = offset - 1
    else:
        last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
    if last >= storage.length or reference.elements > storage.length:
        raise PickleRefusedError(
            f"a tensor of shape {list(shape)}, strides {list(stride)}, offset {offset} reaches "
            f"beyond its {storage.length} stored numbers"
        )
    return reference


def _parameter(tensor: object, *_: object) -> Any:
    if not isinstance(tensor, TensorReference):
        raise ValueError
    return tensor


def _ordered_dict(items: object = ()) -> Any:
    if isinstance(items, dict):
        return dict(items)
    if not isinstance(items, list | tuple):
        raise ValueError
    return {check_key(key): value for key, value in items}


def _attribute(owner: object, name: object) -> Global:
    """`getattr(Detect, "forward")`: official segment heads keep their parent's method.

    Raises:
        PickleRefusedError: When the owner is no class, or the name is private or no name.
    """
    if not is_class(owner) or not isinstance(name, str):
        raise PickleRefusedError(f"it calls getattr on {describe(owner)}")
    if name.startswith("_") or not IDENTIFIER.fullmatch(name[:MAX_NAME]):
        raise PickleRefusedError(f"it calls getattr for {name[:MAX_NAME]!r}")
    return Global(str(owner), f"{name}()")  # "()" keeps it from being looked up or called


def _encode(text: object, encoding: object) -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise ValueError
    return text.encode("latin-1")


def _new_object(kind: object, base: object, _: object) -> Instance:
    if not isinstance(kind, Global) or not is_class(kind) or base != Global("builtins", "object"):
        raise ValueError
    return Instance(kind)


def _path(*parts: object) -> str:
    if not all(isinstance(part, str) for part in parts):
        raise ValueError
    return "/".join(map(str, parts))


def _numpy_scalar(dtype: object, content: object) -> Any:
    if not isinstance(dtype, Instance) or str(dtype.kind) != "numpy.dtype":
        raise ValueError
    code = dtype.arguments[0] if dtype.arguments else None
    if not isinstance(code, str) or not re.fullmatch(r"[<>|=]?[fiub][1248]", code):
        raise ValueError
    if not isinstance(content, bytes) or len(content) != int(code[-1]):
        raise ValueError
    return np.frombuffer(content, np.dtype(code))[0].item()


def _inert(module: str, name: str) -> Callable[..., Instance]:
    return lambda *arguments: Instance(Global(module, name), arguments)


def _items(items: object = ()) -> set[Any]:
    if not isinstance(items, list | tuple | set):
        raise ValueError
    return {check_key(item) for item in items}


def _size(lengths: object) -> tuple[int, ...]:
    return _lengths(tuple(lengths) if isinstance(lengths, list | tuple) else lengths)


CONSTRUCTORS: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): _ordered_dict,
    ("collections", "defaultdict"): lambda factory=None: {},
    ("builtins", "set"): _items,
    ("builtins", "frozenset"): _items,
    ("builtins", "dict"): _ordered_dict,
    ("builtins", "getattr"): _attribute,
    ("copyreg", "_reconstructor"): _new_object,
    ("_codecs", "encode"): _encode,
    ("pathlib", "PosixPath"): _path,
    ("pathlib", "WindowsPath"): _path,
    ("pathlib", "PurePosixPath"): _path,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch", "Size"): _size,
    ("torch", "device"): _inert("torch", "device"),
    ("datetime", "datetime"): _inert("datetime", "datetime"),
    ("datetime", "timedelta"): _inert("datetime", "timedelta"),
    ("numpy", "dtype"): _inert("numpy", "dtype"),
    ("numpy.core.multiarray", "scalar"): _numpy_scalar,
    ("numpy.core.multiarray", "_reconstruct"): _inert("numpy", "ndarray"),
}
