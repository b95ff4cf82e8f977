"""Reading pictures, and keeping them in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from yolor_gp.errors import UserError

IMAGE_SUFFIXES = frozenset({
    ".avif", ".bmp", ".dib", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".mpo", ".pbm",
    ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
})  # fmt: skip
"""What can be read: one list for data sets and for detection. Of a GIF the first picture."""

UNREADABLE_SUFFIXES = frozenset({
    ".arw", ".cr2", ".cr3", ".dds", ".dng", ".exr", ".hdr", ".heic", ".heif", ".ico", ".jxl",
    ".nef", ".orf", ".pcx", ".psd", ".raw", ".svg", ".tga",
})  # fmt: skip
"""Pictures that are left out, and named where they are."""

_EXIF_ORIENTATION, _TIFF_WIDTH, _TIFF_HEIGHT = 274, 256, 257
_COLOR_RGB: int | None = getattr(cv2, "IMREAD_COLOR_RGB", None)  # OpenCV 4.11 and later


def read_image(path: str | Path, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """An RGB picture, u8[H, W, 3], turned as its EXIF data says.

    size: the (height, width) its labels were made for: a picture that has it only without being
    turned is left unturned.

    Raises:
        UserError: When the file is missing, cannot be read or has another size.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    image = _decode(data, turned=True)
    if image is not None and size is not None and image.shape[:2] != size:
        unturned = _decode(data, turned=False)
        if unturned is None or unturned.shape[:2] != size:
            height, width = image.shape[:2]
            raise UserError(
                f"{path}: the picture is {width} x {height} pixels, but its labels are for"
                f" {size[1]} x {size[0]}"
            )
        image = unturned
    if image is None:
        raise UserError(f"{path}: {_why_unreadable(data)}; replace or remove it")
    return image


def image_size(path: str | Path) -> tuple[int, int]:
    """(height, width) as `read_image` returns it, from the file's header alone.

    Raises:
        UserError: When the file is missing or is not a picture that can be read.
    """
    try:
        with Image.open(path) as image:
            width, height = unturned_size(image)
            turned = image.getexif().get(_EXIF_ORIENTATION, 1) in (5, 6, 7, 8)
    except UnidentifiedImageError:
        raise UserError(f"{path}: not a picture that can be read; replace or remove it") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read ({reason})") from None
    return (width, height) if turned else (height, width)


def unturned_size(image: Image.Image) -> tuple[int, int]:
    """(width, height) of the pixels as they are stored; of a TIFF, PIL's own is turned already."""
    tags = getattr(image, "tag_v2", {})
    if image.format == "TIFF" and _TIFF_WIDTH in tags and _TIFF_HEIGHT in tags:
        return tags[_TIFF_WIDTH], tags[_TIFF_HEIGHT]
    return image.size


def left_out(files: Iterable[Path]) -> str | None:
    """A line on the pictures among `files` that cannot be read, by their suffixes."""
    names = sorted(file.name for file in files if file.suffix.lower() in UNREADABLE_SUFFIXES)
    if not names:
        return None
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{len(names)} left out, of kinds that cannot be read ({shown}); convert to PNG or JPEG"


def _decode(data: NDArray[np.uint8], turned: bool) -> NDArray[np.uint8] | None:
    if not data.size:
        return None
    if data[4:12].tobytes() in _AVIF:
        return _decode_avif(data, turned)
    flags = cv2.IMREAD_COLOR if _COLOR_RGB is None else _COLOR_RGB
    try:
        image = cv2.imdecode(data, flags | (0 if turned else cv2.IMREAD_IGNORE_ORIENTATION))
    except cv2.error:
        return None
    if image is not None and _COLOR_RGB is None:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    if image is not None and not turned and data[:4].tobytes() in _TIFF:
        return _as_stored(image, data)  # type: ignore[arg-type]
    return image  # type: ignore[return-value]


_AVIF = (b"ftypavif", b"ftypavis")
_TIFF = (b"II*\x00", b"MM\x00*")


def _as_stored(image: NDArray[np.uint8], data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Undo the turn of a TIFF, which OpenCV makes even when asked not to."""
    with Image.open(BytesIO(data.tobytes())) as header:
        orientation = header.getexif().get(_EXIF_ORIENTATION, 1)
    if orientation in (5, 6, 7, 8):
        image = image.transpose(1, 0, 2)
    if orientation in (3, 4, 6, 7):
        image = image[::-1]
    if orientation in (2, 3, 7, 8):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def _decode_avif(data: NDArray[np.uint8], turned: bool) -> NDArray[np.uint8] | None:
    # OpenCV's reader leaves these as they are stored.
    try:
        with Image.open(BytesIO(data.tobytes())) as image:
            upright = ImageOps.exif_transpose(image) if turned else image
            return np.asarray(upright.convert("RGB"))
    except (OSError, ValueError, SyntaxError):
        return None


_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"RIFF": "WebP", b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF", b"BM": "BMP",
}  # fmt: skip


def _why_unreadable(data: NDArray[np.uint8]) -> str:
    if not data.size:
        return "the file is empty"
    start = data[:4].tobytes()
    for signature, kind in _SIGNATURES.items():
        if start.startswith(signature):
            return f"a damaged, truncated or unsupported {kind} image"
    return "not an image (its content is of no known image format)"


class ImageCache:
    """Pictures by index, the least recently used dropped beyond `limit` bytes (None: none is).

    Safe to use from several threads.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._images: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, index: int) -> NDArray[np.uint8] | None:
        """The picture, if it is here. Don't write to it."""
        with self._lock:
            image = self._images.get(index)
            if image is not None and self._limit is not None:
                self._images.move_to_end(index)
            return image

    def put(self, index: int, image: NDArray[np.uint8]) -> None:
        """Keep a picture."""
        with self._lock:
            if index in self._images:
                return
            self._images[index] = image
            self._bytes += image.nbytes
            while self._limit is not None and self._bytes > self._limit:
                _, dropped = self._images.popitem(last=False)
                self._bytes -= dropped.nbytes
