"""The two containers torch.save writes: a zip file (since torch 1.6) and the older stream.

Only `restricted_pickle` reads the pickles inside, and numbers are copied as bytes.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from yolor_gp.errors import UserError
from yolor_gp.interop.pickle_values import PickleRefusedError, StorageReference, TensorReference
from yolor_gp.interop.restricted_pickle import read_pickle

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_VERSION = 1001
_MAX_PICKLE_BYTES = 1 << 27
_CONTAINER_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    NotImplementedError,  # zip features nobody uses
    RuntimeError,  # an encrypted entry
    KeyError,
    ValueError,
    OverflowError,
    EOFError,
    struct.error,
    OSError,
)


@dataclass(frozen=True)
class TorchArchive:
    """A torch.save file: its inert `root` value, and its stored numbers by key."""

    file: str
    root: Any
    read_storage: Callable[[str], bytes]

    def tensors(self, references: Mapping[str, TensorReference]) -> dict[str, Tensor]:
        """Load tensors by name; floating point numbers become float32.

        Raises:
            UserError: When they are damaged, or share the same numbers over and over.
        """
        loaded: dict[str, Tensor] = {}
        storages: dict[tuple[str, torch.dtype], Tensor] = {}
        copied = 0
        for name, reference in references.items():
            storage = reference.storage
            key = (storage.key, storage.dtype)
            if key not in storages:
                storages[key] = self._storage(storage)
            copied += reference.elements
            if copied > 2 * sum(numbers.numel() for numbers in storages.values()) + 1000:
                raise UserError(f"{self.file}: refused: its tensors share the same numbers")
            view = storages[key].as_strided(reference.shape, reference.stride, reference.offset)
            loaded[name] = view.to(torch.float32, copy=True) if view.is_floating_point() else (
                view.clone()
            )  # fmt: skip
        return loaded

    def _storage(self, reference: StorageReference) -> Tensor:
        try:
            content = self.read_storage(reference.key)
        except _CONTAINER_ERRORS as error:
            raise UserError(_unreadable(self.file, error)) from None
        expected = reference.length * reference.dtype.itemsize
        if len(content) != expected:
            raise UserError(
                f"{self.file}: damaged: storage {reference.key!r} holds {len(content)} bytes, "
                f"expected {expected}; download the file again"
            )
        if reference.dtype == torch.bool:  # a byte other than 0 or 1 is no bool
            return torch.frombuffer(bytearray(content), dtype=torch.uint8).ne(0)
        if not content:
            return torch.empty(0, dtype=reference.dtype)
        return torch.frombuffer(bytearray(content), dtype=reference.dtype)


def open_torch_archive(path: str | Path) -> TorchArchive:
    """Read a file torch.save wrote without running anything in it.

    Raises:
        UserError: When it is not readable, not such a file, damaged, or refused, with the name that
            its pickle asked for.
    """
    file = Path(path)
    try:
        if not file.exists():
            raise UserError(f"{file}: no such file")
        if not file.is_file():
            raise UserError(f"{file}: expected a checkpoint file, found a folder or device")
        content = file.read_bytes()
        opener = _open_zip if content.startswith(b"PK\x03\x04") else _open_legacy
        return opener(str(file), content)
    except PickleRefusedError as error:
        raise UserError(
            f"{file}: refused: {error}; nothing in it was run. Get the file from a source you trust"
        ) from None
    except _CONTAINER_ERRORS as error:
        raise UserError(_unreadable(str(file), error)) from None


def _unreadable(file: str, error: Exception) -> str:
    reason = " ".join(str(error).split())[:150] or type(error).__name__
    return (
        f"{file}: not a checkpoint that torch.save wrote, or damaged ({reason}); "
        "download or save it again"
    )


def _open_zip(file: str, content: bytes) -> TorchArchive:
    archive = zipfile.ZipFile(io.BytesIO(content))
    entries = {entry.filename: entry for entry in archive.infolist()}
    for entry in entries.values():  # torch.save stores entries as they are: none may grow
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > len(content):
            raise zipfile.BadZipFile(f"its entry {entry.filename[:80]!r} is compressed")
    pickles = [name for name in entries if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise zipfile.BadZipFile(f"it holds {len(pickles)} data.pkl, expected one")
    prefix = pickles[0].removesuffix("data.pkl")

    def read(name: str) -> bytes:
        return archive.read(entries[prefix + name])

    if f"{prefix}byteorder" in entries and read("byteorder") != b"little":
        raise zipfile.BadZipFile("its numbers are big-endian")
    if entries[pickles[0]].file_size > _MAX_PICKLE_BYTES:
        raise zipfile.BadZipFile("its pickle is too large")
    root = read_pickle(io.BytesIO(read("data.pkl")))
    return TorchArchive(file, root, lambda key: read(f"data/{key}"))


def _open_legacy(file: str, content: bytes) -> TorchArchive:
    """Magic number, version, system facts, the value, the storage keys, then each storage.

    Raises:
        ValueError: When one of these is missing or damaged.
    """
    stream = io.BytesIO(content)
    if not content.startswith(b"\x80") or read_pickle(stream) != _LEGACY_MAGIC:
        raise ValueError("it begins like neither of torch's formats")
    if read_pickle(stream) != _LEGACY_VERSION:
        raise ValueError("unknown version")
    system = read_pickle(stream)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("its numbers are big-endian")
    storages: dict[str, StorageReference] = {}
    root = read_pickle(stream, storages)
    keys = read_pickle(stream)
    if not isinstance(keys, list):
        raise ValueError("its list of storages is damaged")
    spans: dict[str, slice] = {}
    position = stream.tell()
    for key in keys:
        (length,) = struct.unpack_from("<q", content, position)
        start = position + 8
        if not isinstance(key, str) or key not in storages or length != storages[key].length:
            raise ValueError("its list of storages does not fit its tensors")
        position = start + length * storages[key].dtype.itemsize
        spans[key] = slice(start, position)
    return TorchArchive(file, root, lambda key: content[spans[key]])
