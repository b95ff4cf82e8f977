"""Results in a file, as they come: what was interrupted goes on where it was."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from yolor_gp.files import write_json
from yolor_gp.information_flow.examined import Examined


def key_of(examined: Examined, *words: object) -> str:
    """Another one as soon as anything that decides the results has changed."""
    digest = hashlib.sha256(
        f"{examined.size} {examined.batch_size} {words} {examined.fingerprint}".encode()
    )
    for tensor in examined.network.state_dict().values():
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


class Kept:
    """Results by name; forgotten when they are another examination's."""

    def __init__(self, file: Path, key: str) -> None:
        self._file, self._key = file, key
        self.values: dict[str, Any] = {}
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            if content["key"] == key:
                self.values = content["values"]
        except (OSError, ValueError, KeyError, TypeError):
            pass

    def keep(self, name: str, value: Any) -> None:
        """Write it with all others."""
        self.values[name] = value
        write_json(self._file, {"key": self._key, "values": self.values})
