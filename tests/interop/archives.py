"""Hand-made checkpoint files for the tests."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any


def write_zip(path: Path, pickled: bytes, storages: dict[str, bytes] | None = None) -> Path:
    """A file like torch.save writes, around any pickle."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", "little")
        for key, content in (storages or {}).items():
            archive.writestr(f"archive/data/{key}", content)
        archive.writestr("archive/version", "3\n")
    return path


class Stored(dict[str, Any]):
    """Stands for numbers in the archive: pickled as a persistent id."""


class _Pickler(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        return value["id"] if isinstance(value, Stored) else None


def dump(value: Any, protocol: int = 2) -> bytes:
    """Pickle `value`; `Stored(id=...)` becomes a persistent id."""
    stream = io.BytesIO()
    _Pickler(stream, protocol).dump(value)
    return stream.getvalue()
