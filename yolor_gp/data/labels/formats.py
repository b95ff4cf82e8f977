"""Data formats of other people: `format: NAME` in a data YAML."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from yolor_gp.config.data_config import FORMS, DataConfig, Split
from yolor_gp.config.registry import Registry
from yolor_gp.data.labels.annotation_table import AnnotationTable

ReadLabels = Callable[[DataConfig, Split], AnnotationTable]
"""Reads the labels of one part of a data set, with a `TableBuilder`. What `train`, `val` and
`annotations` name is the format's own affair; paths are resolved. Raises `UserError` naming file
and line of what is wrong."""

_readers: Registry[ReadLabels] = Registry("format", reserved=FORMS)


def register_data_format(name: str) -> Callable[[ReadLabels], ReadLabels]:
    """Enter a reader under the name that `format` of a data YAML then takes.

    Raises:
        ValueError: When the name is taken.
    """
    return _readers.register(name)


def read_registered(config: DataConfig, split: Split) -> tuple[AnnotationTable, str]:
    """The labels that the reader of `config.form` gives, and their fingerprint.

    Raises:
        UserError: For a format that nobody registered, and whatever the reader says.
    """
    read = _readers.find(config.form, str(config.file))
    config.images(split)
    table = read(config, split)
    return table, _digest(table)


def _digest(table: AnnotationTable) -> str:
    arrays, notes = table.to_arrays()
    digest = hashlib.sha256(repr(sorted(notes.items())).encode())
    for name, array in arrays.items():
        digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()[:32]
