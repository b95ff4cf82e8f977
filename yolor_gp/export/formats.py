"""Formats of exported networks: who writes them, and who runs them. The door for others'."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yolor_gp.config.suggest import did_you_mean
from yolor_gp.errors import UserError
from yolor_gp.export.graph import Description, ExportGraph

Array = NDArray[np.float32]
Session = Callable[[Array], list[Array]]
"""f32[B, 3, H, W] -> the outputs of the graph, in their order."""


@dataclass(frozen=True)
class Request:
    """What is to be written.

    Attributes:
        graph: The network.
        description: What the file shall say of itself.
        path: Where to.
        precision: float32, float16 or int8.
        calibration: Pictures to learn the ranges of int8 from, f32[1, 3, H, W] each.
    """

    graph: ExportGraph
    description: Description
    path: Path
    precision: str = "float32"
    calibration: Iterable[Array] = ()


@dataclass(frozen=True)
class Format:
    """One kind of file.

    Attributes:
        name: On the command line.
        suffix: Of its files.
        precisions: Those it can be written in.
        write: Writes a file. Raises `UserError`.
        open: What the file says of itself, and what runs it. Raises `UserError`.
        can_suppress: Whether suppression can be inside (`Description.suppression`).
    """

    name: str
    suffix: str
    precisions: tuple[str, ...]
    write: Callable[[Request], None]
    open: Callable[[Path], tuple[Description, Session]]
    can_suppress: bool = False


_FORMATS: dict[str, Format] = {}


def register_format(found: Format) -> Format:
    """Enter a format under its name.

    Raises:
        ValueError: When name or suffix are taken.
    """
    for known in _FORMATS.values():
        if found.name == known.name or found.suffix == known.suffix:
            raise ValueError(f"export format '{found.name}' ({found.suffix}) is registered twice")
    _FORMATS[found.name] = found
    return found


def find_format(name: str) -> Format:
    """The format of that name.

    Raises:
        UserError: When there is none, with those that are known.
    """
    if name not in _FORMATS:
        known = ", ".join(_FORMATS)
        raise UserError(f"--format {name}: unknown{did_you_mean(name, _FORMATS)} (known: {known})")
    return _FORMATS[name]


def format_of(path: str | Path) -> Format | None:
    """The format whose files end like this one; None for weights and model files."""
    name = str(path).lower()
    return next((found for found in _FORMATS.values() if name.endswith(found.suffix)), None)
