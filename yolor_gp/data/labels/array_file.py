"""Named flat arrays in one safetensors file: written atomically, opened as a memory map.

370 MB are opened in a millisecond, in memory that processes share. (safetensors would read them
whole: 0.9 s, and once for each process; as torch's tensors it maps them, but processes that load
pictures do without torch; `np.load` cannot map the members of an .npz at all.)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from yolor_gp.files import whole_file

_TYPES = {"BOOL": "?", "U8": "u1", "I32": "<i4", "I64": "<i8", "F32": "<f4", "F64": "<f8"}
"""Of safetensors' names for types, those that tables have."""


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], notes: Mapping[str, Any]) -> None:
    """Write `arrays` and `notes` (anything JSON can say); readers see the old file or the new.

    Raises:
        OSError: When the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    flat = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with whole_file(path) as file:
        file.write(safetensors.numpy.save(flat, {"notes": json.dumps(dict(notes))}))


def read_arrays(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays, mapped read-only, and the notes.

    Raises:
        ValueError: When the file is damaged.
    """
    try:
        with safetensors.safe_open(path, framework="numpy"):  # refuses a damaged header
            content = np.asarray(np.memmap(path, mode="r"))
        begin = 8 + int(content[:8].view("<u8")[0])
        header = json.loads(bytes(content[8:begin]))
        notes = json.loads(header.pop("__metadata__")["notes"])
        arrays = {name: _array(content[begin:], **entry) for name, entry in header.items()}
    except (safetensors.SafetensorError, KeyError) as error:
        raise ValueError(f"{path}: not an array file, or damaged ({error})") from None
    return arrays, notes


def _array(
    content: NDArray[np.uint8], dtype: str, shape: list[int], data_offsets: tuple[int, int]
) -> NDArray[Any]:
    return content[slice(*data_offsets)].view(_TYPES[dtype]).reshape(shape)
