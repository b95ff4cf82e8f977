"""One image file read into RGB pixels, upright, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from yolor_gp.errors import UserError

IMAGE_SUFFIXES = frozenset({
    ".avif", ".bmp", ".jp2", ".jpe", ".jpeg", ".jpg", ".mpo", ".pbm", ".pgm", ".png", ".ppm",
    ".tif", ".tiff", ".webp",
})  # fmt: skip

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
# What OpenCV cannot read is reported here, with the file's name.


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """The pixels of an image file: u8[H, W, 3], RGB.

    Turned as its EXIF orientation says; gray becomes three equal channels, CMYK and palettes
    become RGB, 16 bits are scaled to 8 (value / 256), and alpha is dropped.
    Raises `UserError` naming the file where it cannot be read.
    """
    try:
        data = np.frombuffer(Path(path).read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    return decode_image(data, str(path))


def decode_image(data: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """The pixels of an encoded image, as `read_image`; messages call it `name`."""
    if not data.size:
        raise UserError(f"{name}: the file is empty; replace or remove it")
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise UserError(f"{name}: not decodable ({error.err}); replace or remove it") from None
    if image is None:
        raise UserError(f"{name}: {_why(data)}; replace or remove it")
    cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)
    return np.asarray(image, dtype=np.uint8)


_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"RIFF": "WebP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"BM": "BMP",
}


def _why(data: NDArray[np.uint8]) -> str:
    start = data[:4].tobytes()
    for signature, kind in _SIGNATURES.items():
        if start.startswith(signature):
            return f"a damaged, truncated or unsupported {kind} image"
    return "not an image (its content is of no known image format)"
