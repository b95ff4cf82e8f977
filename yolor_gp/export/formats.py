"""Formats of exported networks: who writes them, and who runs them. The door for others'."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yolor_gp.config.registry import Registry
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
        can_be_dynamic: Whether batch and sides of the input can be left open.
    """

    name: str
    suffix: str
    precisions: tuple[str, ...]
    write: Callable[[Request], None]
    open: Callable[[Path], tuple[Description, Session]]
    can_suppress: bool = False
    can_be_dynamic: bool = True


_formats: Registry[Format] = Registry("format")


def register_format(found: Format) -> Format:
    """Enter a format under its name.

    Raises:
        ValueError: When name or suffix are taken.
    """
    if any(found.suffix == known.suffix for known in _formats.parts.values()):
        raise ValueError(f"format '{found.name}': files in {found.suffix} are registered twice")
    return _formats.register(found.name)(found)


def find_format(name: str) -> Format:
    """The format of that name.

    Raises:
        UserError: When there is none, with those that are known.
    """
    return _formats.find(name, f"--format {name}")


def format_of(path: str | Path) -> Format | None:
    """The format whose files end like this one; None for weights and model files."""
    name = str(path).lower()
    return next((found for found in _formats.parts.values() if name.endswith(found.suffix)), None)
