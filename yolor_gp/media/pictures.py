"""Pictures that are in memory already: arrays, PIL images, tensors, and iterables of anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from yolor_gp.errors import UserError
from yolor_gp.media.sources import Frame, Source, open_source

Channels: TypeAlias = Literal["rgb", "bgr"]
Picture: TypeAlias = "NDArray[np.uint8] | Image.Image | Tensor"
AnySource: TypeAlias = "str | Path | int | Picture | Iterable[str | Path | int | Picture]"
"""All that can be looked at: a path, folder, glob, list file, video, camera number or address; a
picture; or an iterable of these."""


class Pictures:
    """Frames of an iterable whose items are pictures or name them; a `media.sources.Source`.

    Args:
        items: Looked at one after another, each only when its turn comes.
        channels: The order of colours in arrays; PIL images and tensors are always RGB.
    """

    def __init__(self, items: Iterable[object], channels: Channels = "rgb") -> None:
        self.total: int | None = None
        self.skipped: list[str] = []
        self._items, self._channels = items, channels
        if isinstance(items, list | tuple) and not any(isinstance(i, str | Path) for i in items):
            self.total = sum(_count(item) for item in items)

    def __iter__(self) -> Iterator[Frame]:
        number = 0
        for item in self._items:
            if isinstance(item, str | Path | int):
                yield from self._named(item)
                continue
            for picture in _pictures(item, self._channels, f"image {number} of the source"):
                yield Frame(picture, f"image{number}")
                number += 1

    def _named(self, item: str | Path | int) -> Iterator[Frame]:
        try:
            source = open_source(str(item))
            yield from source
        except UserError as error:
            self.skipped.extend(error.problems)
        else:
            self.skipped.extend(source.skipped)


def open_any(source: AnySource, channels: Channels = "rgb") -> Source:
    """The frames of whatever is given, one at a time.

    Args:
        source: See `AnySource`. Arrays are u8[H, W, 3], u8[H, W] (grey) or a stack u8[N, H, W, 3];
            tensors are [3, H, W] or [N, 3, H, W], u8 or floating point in 0..1, RGB.
        channels: "rgb" or "bgr" (as OpenCV reads), of arrays.

    Raises:
        UserError: When there is nothing to look at, or it is of another kind.
    """
    if channels not in ("rgb", "bgr"):
        raise UserError(f"channels={channels!r}: expected 'rgb' or 'bgr'")
    if isinstance(source, str | Path | int):
        return open_source(str(source))
    if isinstance(source, np.ndarray | Image.Image | Tensor):
        return Pictures([source], channels)
    if isinstance(source, Iterable):
        return Pictures(source, channels)
    raise UserError(_unknown("the source", source))


def _count(item: object) -> int:
    return len(item) if isinstance(item, np.ndarray | Tensor) and item.ndim == 4 else 1


def _pictures(item: object, channels: Channels, name: str) -> Iterator[NDArray[np.uint8]]:
    """The pictures that an item stands for: one, or as many as are stacked.

    Yields:
        u8[H, W, 3] RGB each.

    Raises:
        UserError: When it is no picture, calling it `name`.
    """
    if isinstance(item, Image.Image):
        yield np.asarray(ImageOps.exif_transpose(item).convert("RGB"))
    elif isinstance(item, np.ndarray | Tensor) and item.ndim == 4:
        for part in item:
            yield from _pictures(part, channels, name)
    elif isinstance(item, Tensor):
        yield _of_tensor(item, name)
    elif isinstance(item, np.ndarray):
        yield _of_array(item, channels, name)
    else:
        raise UserError(_unknown(name, item))


def _of_array(array: NDArray[np.generic], channels: Channels, name: str) -> NDArray[np.uint8]:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)):
        raise UserError(
            f"{name}: expected an array of uint8 [H, W, 3] (or [H, W], grey), found"
            f" {array.dtype} {list(array.shape)}"
        )
    if not array.size:
        raise UserError(f"{name}: has no pixels (shape {list(array.shape)})")
    picture = np.asarray(array, np.uint8)
    if picture.ndim == 2:
        return np.repeat(picture[:, :, None], 3, axis=2)
    return np.ascontiguousarray(picture[:, :, ::-1] if channels == "bgr" else picture)


def _of_tensor(tensor: Tensor, name: str) -> NDArray[np.uint8]:
    is_image = tensor.ndim == 3 and tensor.shape[0] == 3 and tensor.numel() > 0
    if not is_image or not (tensor.is_floating_point() or str(tensor.dtype) == "torch.uint8"):
        raise UserError(
            f"{name}: expected a tensor [3, H, W] of uint8, or of floats in 0..1, found"
            f" {tensor.dtype} {list(tensor.shape)}"
        )
    values = tensor.detach().cpu()
    if values.is_floating_point():
        low, high = float(values.min()), float(values.max())
        if not (low >= 0 and high <= 1):
            raise UserError(f"{name}: expected floats in 0..1, found {low:.4g} to {high:.4g}")
        values = (values.float() * 255).round()
    return np.ascontiguousarray(values.numpy().astype(np.uint8).transpose(1, 2, 0))


def _unknown(name: str, found: object) -> str:
    return (
        f"{name}: expected a path, an address, a camera number, an array, a PIL image, a tensor or"
        f" an iterable of these, found {type(found).__name__}"
    )
