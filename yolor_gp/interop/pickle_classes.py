"""Which classes a checkpoint's pickle may name, and what may be a dictionary key.

A class is never imported: its objects become records that know its name.
"""

from __future__ import annotations

import re
from typing import Any

from yolor_gp.interop.pickle_values import Global, PickleRefusedError

MAX_NAME = 200
_MAX_KEY = 1000
IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
# Classes of these modules are recorded by name: the official projects' code, and torch's layers.
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


def is_class(wanted: object) -> bool:
    """Whether this is a class whose instances are recorded without importing it."""
    if not isinstance(wanted, Global) or not IDENTIFIER.fullmatch(wanted.name):
        return False
    return (wanted.module, wanted.name) in _INERT_CLASSES or bool(
        _CLASS_MODULES.fullmatch(wanted.module)
    )


def check_key(key: object) -> Any:
    """A dictionary key or set member: a flat value whose hash costs nothing to compute.

    Nested tuples (unbounded recursion in `hash`) and integers made to collide are refused.

    Raises:
        PickleRefusedError: For any other key.
    """
    if isinstance(key, str | bytes) and len(key) <= _MAX_KEY:
        return key
    if isinstance(key, float | type(None)):
        return key
    if isinstance(key, int) and abs(key) < 2**60:
        return key
    raise PickleRefusedError(f"it uses a {type(key).__name__} as a dictionary key")
