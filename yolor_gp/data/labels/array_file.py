"""Named flat arrays in one file: written atomically, opened as a memory map.

Layout: the length of the header (8 bytes, little endian), the header (JSON: name -> dtype, shape,
offset), padding, then the arrays, each beginning at a multiple of 64 bytes. (`np.load` cannot map
the members of an .npz, and one file can be replaced atomically where a folder of .npy cannot.)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolor_gp.files import whole_file

_ALIGNMENT = 64


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], notes: Mapping[str, Any]) -> None:
    """Write `arrays` and `notes` (anything JSON can say); readers see the old file or the new.

    Raises:
        OSError: When the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    entries: dict[str, Any] = {}
    offset = 0
    for name, array in arrays.items():
        entries[name] = {"dtype": array.dtype.str, "shape": array.shape, "offset": offset}
        offset = _aligned(offset + array.nbytes)
    header = json.dumps({"arrays": entries, "notes": dict(notes)}).encode()
    with whole_file(path) as file:
        file.write(len(header).to_bytes(8, "little") + header)
        start = _aligned(file.tell())
        for name, array in arrays.items():
            file.seek(start + entries[name]["offset"])
            np.ascontiguousarray(array).tofile(file)
        file.truncate(start + offset)


def read_arrays(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays, mapped read-only, and the notes.

    Raises:
        ValueError: When the file is damaged.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= path.stat().st_size:
                raise ValueError(f"{path}: not an array file")
            header = json.loads(file.read(length))
        # A plain array over the map: `np.memmap` itself is slow to slice.
        whole = np.asarray(np.memmap(path, np.uint8, mode="r"))
        start = _aligned(8 + length)
        return (
            {name: _view(whole, start, entry) for name, entry in header["arrays"].items()},
            header["notes"],
        )
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: damaged array file ({error})") from None


def _view(whole: NDArray[np.uint8], start: int, entry: Mapping[str, Any]) -> NDArray[Any]:
    dtype = np.dtype(entry["dtype"])
    count = int(np.prod(entry["shape"], dtype=np.int64))
    begin = start + int(entry["offset"])
    part: NDArray[Any] = whole[begin : begin + count * dtype.itemsize].view(dtype)
    return part.reshape(entry["shape"])


def _aligned(offset: int) -> int:
    return -(-offset // _ALIGNMENT) * _ALIGNMENT
