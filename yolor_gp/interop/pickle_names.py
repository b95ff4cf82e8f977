"""The names a checkpoint's pickle may ask for, and what each becomes: never the thing itself.

Everything here returns plain values or the records of `pickle_values`; no name is imported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from yolor_gp.interop.pickle_values import (
    Global,
    Instance,
    PickleRefusedError,
    StorageReference,
    TensorReference,
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
# Classes of these modules are recorded by name: the field's code, and the layers it is made of.
_CLASS_MODULES = re.compile(
    r"(models|utils|yolov5|yolov7|ultralytics|torch\.nn\.modules|torch\.optim)(\.[A-Za-z_]\w*)*"
)
_INERT_CLASSES = frozenset({
    ("argparse", "Namespace"),
    ("datetime", "datetime"),
    ("datetime", "timedelta"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("torch", "device"),
    ("torch", "Size"),
    ("torch.nn.parameter", "Parameter"),
    *((module, "object") for module in ("builtins", "__builtin__")),
})  # fmt: skip
_RENAMED_MODULES = {
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "numpy._core.multiarray": "numpy.core.multiarray",
    "pathlib._local": "pathlib",
}
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_MAX_DIMENSIONS = 8
_MAX_NAME = 200
_MAX_KEY = 1000
_MAX_LENGTH = 1 << 48


def find_name(module: str, name: str) -> Global | torch.dtype:
    """Look a global up in the allow-list. Raises `PickleRefusedError` with the name asked for."""
    if len(module) > _MAX_NAME or len(name) > _MAX_NAME:
        raise PickleRefusedError(f"it asks for {module[:50]}.{name[:50]}..., which is no name")
    wanted = Global(_RENAMED_MODULES.get(module, module), name)
    if wanted.module == "torch" and name in _DTYPES:
        return _DTYPES[name]
    if is_class(wanted) or _key(wanted) in CONSTRUCTORS or _is_storage(wanted):
        return wanted
    raise PickleRefusedError(
        f"it asks for {f'{module}.{name}'!r}, which is not among the harmless names of a checkpoint"
    )


def is_class(wanted: object) -> bool:
    """Whether this is a class whose instances are recorded without importing it."""
    if not isinstance(wanted, Global) or not _IDENTIFIER.fullmatch(wanted.name):
        return False
    return _key(wanted) in _INERT_CLASSES or bool(_CLASS_MODULES.fullmatch(wanted.module))


def call(function: object, arguments: object) -> Any:
    """What calling an allowed name would have given, as inert values."""
    if not isinstance(function, Global) or _key(function) not in CONSTRUCTORS:
        raise PickleRefusedError(f"it calls {describe(function)}, which no checkpoint needs")
    if not isinstance(arguments, tuple):
        raise PickleRefusedError(f"it calls {function} with something that is no tuple")
    try:
        return CONSTRUCTORS[_key(function)](*arguments)
    except (TypeError, ValueError, OverflowError, UnicodeError):
        raise PickleRefusedError(f"it calls {function} with arguments that do not fit") from None


def load_storage(identifier: object) -> StorageReference:
    """The storage behind a persistent id: ('storage', type, key, device, length)."""
    match identifier:
        case ("storage", Global() as kind, str() as key, str(), int() as length, *rest) if (
            _is_storage(kind) and len(key) <= _MAX_NAME and 0 <= length < _MAX_LENGTH
        ):
            if rest in ([], [None]):  # the legacy form ends with the view, never used by torch
                return StorageReference(key, _STORAGES[kind.name], length)
    raise PickleRefusedError("it refers to stored numbers in a way torch.save does not write")


def check_key(key: object) -> Any:
    """A dictionary key or set member: a flat value whose hash costs nothing to compute.

    Nested tuples (unbounded recursion in `hash`) and integers made to collide are refused.
    """
    if isinstance(key, str | bytes) and len(key) <= _MAX_KEY:
        return key
    if isinstance(key, float | type(None)):
        return key
    if isinstance(key, int) and abs(key) < 2**60:
        return key
    raise PickleRefusedError(f"it uses a {type(key).__name__} as a dictionary key")


def _key(wanted: Global) -> tuple[str, str]:
    return wanted.module, wanted.name


def _is_storage(wanted: Global) -> bool:
    return wanted.module == "torch" and wanted.name in _STORAGES


def _lengths(value: object) -> tuple[int, ...]:
    if not isinstance(value, tuple) or len(value) > _MAX_DIMENSIONS:
        raise ValueError
    if not all(type(length) is int and 0 <= length < _MAX_LENGTH for length in value):
        raise ValueError
    return value


def _tensor(storage: object, offset: object, shape: object, stride: object, *_: object) -> Any:
    shape, stride = _lengths(shape), _lengths(stride)
    if not isinstance(storage, StorageReference) or len(shape) != len(stride):
        raise ValueError
    if type(offset) is not int or not 0 <= offset < _MAX_LENGTH:
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
    """`getattr(Detect, "forward")`: official segment heads keep their parent's method."""
    if not is_class(owner) or not isinstance(name, str):
        raise PickleRefusedError(f"it calls getattr on {describe(owner)}")
    if name.startswith("_") or not _IDENTIFIER.fullmatch(name[:_MAX_NAME]):
        raise PickleRefusedError(f"it calls getattr for {name[:_MAX_NAME]!r}")
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
