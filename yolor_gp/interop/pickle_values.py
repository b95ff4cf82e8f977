"""What a pickle may hold once read: plain Python values and these inert records, nothing alive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch


class PickleRefusedError(Exception):
    """The pickle is damaged or asks for something a checkpoint has no need of."""


@dataclass(frozen=True)
class Global:
    """A name the pickle asked for: `models.common.Conv`. Nothing was imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Instance:
    """An object of a class that was not imported: its class's name and its `__dict__`.

    arguments: what its constructor was given (empty for `torch.nn` modules).
    """

    kind: Global
    arguments: tuple[Any, ...] = ()
    state: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<inert {self.kind}>"


@dataclass(frozen=True, eq=False)
class StorageReference:
    """A run of `length` numbers of `dtype`, kept elsewhere in the file under `key`."""

    key: str
    dtype: torch.dtype
    length: int


@dataclass(frozen=True, eq=False)
class TensorReference:
    """A view of a storage, proven to lie inside it: offset, shape and strides in elements."""

    storage: StorageReference
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def elements(self) -> int:
        """How many numbers the tensor holds."""
        count = 1
        for length in self.shape:
            count *= length
        return count


def describe(value: object) -> str:
    """A short name for a message; never walks into the value, which may be endless."""
    if isinstance(value, Global):
        return str(value)[:200]
    if isinstance(value, Instance):
        return f"an object of {value.kind}"
    return f"a {type(value).__name__}"
