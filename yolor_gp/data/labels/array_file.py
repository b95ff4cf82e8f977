"""Named flat arrays in one safetensors file: written atomically, opened as a memory map.

Opened as torch's tensors, which lie in the map: 370 MB in a millisecond, in memory that processes
share. (As numpy's own arrays safetensors would read them whole: 0.9 s, and once for each process;
`np.load` cannot map the members of an .npz at all.)
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
        with safetensors.safe_open(path, framework="pt") as opened:
            notes = json.loads((opened.metadata() or {})["notes"])
            arrays = {name: opened.get_tensor(name).numpy() for name in opened.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, KeyError) as error:
        raise ValueError(f"{path}: not an array file, or damaged ({error})") from None
    for array in arrays.values():
        array.flags.writeable = False
    return arrays, notes
