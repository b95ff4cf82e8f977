"""Darknet's `.weights`: numbers in the order of the `.cfg`, read as tensors by our names.

A file is a header (version, images seen) and float32 numbers without names: of every convolution
its biases, of its normalisation scales, means and variances, then its kernels. Its size is compared
with what the `.cfg` asks for before anything is allocated. A partial file (`NAME.conv.137`) ends
after one of its convolutions and is good for training.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from yolor_gp.config.coco_names import COCO_NAMES
from yolor_gp.errors import UserError
from yolor_gp.files import did_you_mean_path
from yolor_gp.interop.darknet_cfg import Convolution, DarknetModel, read_darknet_cfg
from yolor_gp.models.blocks.conv import BATCH_NORM_EPSILON
from yolor_gp.models.builder import build_network

_EPSILON = 1e-6
"""What Darknet adds to a variance."""

_PARTIAL = re.compile(r"\.conv\.\d+$")


@dataclass(frozen=True)
class DarknetWeights:
    """Tensors of a file and the network they belong to.

    Attributes:
        model: What the `.cfg` describes.
        tensors: By our names; where the file is partial, of its first convolutions only.
        found: How many convolutions the file holds.
        seen: Images its training had seen.
    """

    model: DarknetModel
    tensors: dict[str, Tensor]
    found: int
    seen: int

    @property
    def is_whole(self) -> bool:
        """Whether every convolution of the `.cfg` is there."""
        return self.found == len(self.model.convolutions)


def is_darknet_weights(path: str | Path) -> bool:
    """Whether a path names Darknet weights, by its ending: `.weights`, `.conv.N`."""
    name = Path(path).name.lower()
    return name.endswith(".weights") or _PARTIAL.search(name) is not None


def cfg_beside(path: str | Path) -> Path:
    """The `.cfg` of the same name beside a weights file.

    Raises:
        UserError: When there is none.
    """
    file = Path(path)
    stem = _PARTIAL.sub("", file.name)
    cfg = file.with_name(stem.removesuffix(".weights").removesuffix(".WEIGHTS") + ".cfg")
    if not cfg.is_file():
        raise UserError(
            f"{file}: Darknet weights are read along their .cfg; expected {cfg}, or name it with"
            " --cfg"
        )
    return cfg


def class_names(cfg: str | Path, number: int) -> tuple[str, ...]:
    """Of the file with the ending `.names` beside a `.cfg`; COCO's for 80; else numbers.

    Raises:
        UserError: When the file does not hold so many.
    """
    file = Path(cfg).with_suffix(".names")
    if file.is_file():
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            raise UserError(f"{file}: cannot be read; expected a class name a line") from None
        names = tuple(line.strip() for line in lines if line.strip())
        if len(names) != number:
            raise UserError(f"{file}: {len(names)} class names, but {cfg} has {number} classes")
        return names
    return COCO_NAMES if number == len(COCO_NAMES) else tuple(map(str, range(number)))


def read_darknet_weights(path: str | Path, cfg: str | Path | None = None) -> DarknetWeights:
    """Read a `.weights` file along its `.cfg`, by default the one beside it.

    Raises:
        UserError: Missing, too short (naming the section where it ends), too long, or with numbers
            that are none.
    """
    file = Path(path)
    if not file.is_file():
        raise UserError(f"{file}: no such weights{did_you_mean_path(file)}")
    model = read_darknet_cfg(cfg or cfg_beside(file))
    shapes = _shapes(model)
    try:
        with file.open("rb") as opened:
            header, seen = _header(opened.read(20), file)
        numbers = (file.stat().st_size - header) // 4
        found = _count(file, model, shapes, numbers, (file.stat().st_size - header) % 4)
        values = np.memmap(file, "<f4", "r", offset=header, shape=(numbers,))
        tensors = dict(_tensors(values, model.convolutions[:found], shapes, file))
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror})") from None
    return DarknetWeights(model, tensors, found, seen)


def _shapes(model: DarknetModel) -> dict[str, tuple[int, ...]]:
    """Of every tensor of the network, which is built without memory."""
    network = build_network(model.spec, device="meta")
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def _header(start: bytes, file: Path) -> tuple[int, int]:
    """How long the header is, and the images seen: of 8 bytes since version 0.2.

    Raises:
        UserError: When it is not Darknet's.
    """
    if len(start) < 16:
        raise UserError(f"{file}: {len(start)} bytes are no Darknet weights")
    major, minor, _ = struct.unpack("<3i", start[:12])
    if not (0 <= major < 1000 and 0 <= minor < 1000):
        raise UserError(f"{file}: its header says version {major}.{minor}; no Darknet weights")
    if major * 10 + minor >= 2 and len(start) == 20:
        return 20, struct.unpack("<Q", start[12:20])[0]
    return 16, struct.unpack("<I", start[12:16])[0]


def _parts(one: Convolution, shapes: dict[str, tuple[int, ...]]) -> list[tuple[str, int]]:
    """The tensors of a convolution in the order of the file, and how long they are."""
    names = [one.bias]
    if one.norm:
        names += [f"{one.norm}.{part}" for part in ("weight", "running_mean", "running_var")]
    return [(name, prod(shapes[name])) for name in (*names, one.weight)]


def _count(
    file: Path,
    model: DarknetModel,
    shapes: dict[str, tuple[int, ...]],
    numbers: int,
    rest: int,
) -> int:
    """How many convolutions the file holds.

    Raises:
        UserError: When it does not end after one.
    """
    used = 0
    for count, one in enumerate(model.convolutions):
        if used == numbers and count and not rest:
            return count
        size = sum(length for _, length in _parts(one, shapes))
        if used + size > numbers:
            raise UserError(
                f"{file}: ends in section {one.section} (convolution {count + 1} of"
                f" {len(model.convolutions)}, {model.spec.file}:{one.line}): expected"
                f" {size:,} numbers for it, found {numbers - used:,}; it is cut off, or"
                " of another .cfg"
            )
        used += size
    if used != numbers or rest:
        raise UserError(
            f"{file}: holds {numbers - used:,} numbers more than {model.spec.file} asks for"
            f" ({used:,}); it is of another .cfg"
        )
    return len(model.convolutions)


def _tensors(
    values: NDArray[np.float32],
    convolutions: tuple[Convolution, ...],
    shapes: dict[str, tuple[int, ...]],
    file: Path,
) -> Iterator[tuple[str, Tensor]]:
    position = 0
    for one in convolutions:
        for name, length in _parts(one, shapes):
            part = np.array(values[position : position + length], np.float32)
            position += length
            if not np.isfinite(part).all():
                kind = name.rpartition(".")[2].replace("_", " ")
                raise UserError(
                    f"{file}: section {one.section} has numbers that are not finite ({kind}); the"
                    " file is damaged"
                )
            if name.endswith("running_var"):
                # Ours adds another epsilon to it.
                part += np.float32(_EPSILON - BATCH_NORM_EPSILON)
            yield name, torch.from_numpy(part.reshape(shapes[name]))
        if one.norm:
            yield f"{one.norm}.num_batches_tracked", torch.zeros((), dtype=torch.int64)
