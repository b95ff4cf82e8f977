"""What can be wrong with one image file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from yolor_gp.data.doctor.report import Finding, error, warning
from yolor_gp.data.pixels.images import read_image, unturned_size
from yolor_gp.errors import UserError
from yolor_gp.files import did_you_mean_path

_SMALLEST, _HUGE = 10, 100_000_000  # pixels of a side; pixels in all
_ORIENTATION = 274
_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), "MPO": (".jpg", ".jpeg", ".mpo"),
    "PNG": (".png",), "GIF": (".gif",), "AVIF": (".avif",),
    "WEBP": (".webp",), "BMP": (".bmp", ".dib"), "TIFF": (".tif", ".tiff"),
    "JPEG2000": (".jp2",), "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
}  # fmt: skip


@dataclass(frozen=True)
class ImageFacts:
    """One image: its upright size (height, width), None where unreadable; a digest of its pixels
    (upright, RGB: equal for a copy in another lossless format); what is wrong with it.
    """

    path: str
    size: tuple[int, int] | None
    digest: str
    findings: tuple[Finding, ...]


def examine_image(path: str, expected_size: tuple[int, int] | None) -> ImageFacts:
    """Read an image as training would. expected_size: (height, width) in its labels, if any."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        detail = f"no such file{did_you_mean_path(path)}"
        missing = error("image missing", path, detail, "restore it or remove its labels")
        return ImageFacts(path, None, "", (missing,))
    except OSError as reason:
        unread = error("image unreadable", path, str(reason.strerror), "check its permissions")
        return ImageFacts(path, None, "", (unread,))
    findings = list(_header_findings(path, data, expected_size))
    if any(finding.severity == "error" for finding in findings):
        return ImageFacts(path, None, "", tuple(findings))
    try:
        image = read_image(path, expected_size)
    except UserError:
        findings.append(_not_decodable(path, data, expected_size))
        return ImageFacts(path, None, "", tuple(findings))
    if _ends_early(data):
        findings.append(_truncated(path))
    digest = hashlib.blake2b(image.tobytes(), digest_size=16).hexdigest()
    size = (image.shape[0], image.shape[1])
    return ImageFacts(path, size, f"{digest} {size}", tuple(findings))


def _header_findings(
    path: str, data: bytes, expected_size: tuple[int, int] | None
) -> Iterator[Finding]:
    """What the header tells without decoding the pixels.

    Yields:
        A finding for each fault; after one that makes the file unreadable, no more.
    """
    if not data:
        yield error("image unreadable", path, "the file is empty", "replace or remove it")
        return
    try:
        with Image.open(BytesIO(data)) as image:
            kind, mode, (width, height) = image.format or "", image.mode, unturned_size(image)
            # Of a PNG, getexif decodes all pixels to look behind them.
            has_exif = kind != "PNG" or "exif" in image.info
            orientation = image.getexif().get(_ORIENTATION, 1) if has_exif else 1
            bits = image.info.get("bits") if kind == "PNG" else None
    except UnidentifiedImageError:
        yield error("image unreadable", path, "not an image by its content", "replace or remove it")
        return
    except Image.DecompressionBombError:
        yield error("image of huge size", path, "more pixels than can be right", "scale it down")
        return
    except (OSError, ValueError, SyntaxError) as reason:
        yield error("image unreadable", path, f"damaged ({reason})", "replace or remove it")
        return
    yield from _size_findings(path, width, height)
    yield from _mode_findings(path, mode, bits)
    suffix = Path(path).suffix.lower()
    if kind in _SUFFIXES and suffix not in _SUFFIXES[kind]:
        yield warning(
            "wrong suffix",
            path,
            f"a {kind} image named '{suffix}'",
            f"rename to {_SUFFIXES[kind][0]}",
        )
    if orientation not in (0, 1):
        turned = expected_size != (height, width)
        effect = "it is turned as EXIF says" if turned else "its labels are for the unturned pixels"
        yield warning(
            "EXIF rotation",
            path,
            f"EXIF orientation {orientation}; {effect}",
            "save it upright, so that every program agrees",
        )


def _size_findings(path: str, width: int, height: int) -> Iterator[Finding]:
    if min(width, height) < _SMALLEST:
        yield warning(
            "image of tiny size",
            path,
            f"{width}x{height} pixels",
            "remove it if nothing is visible",
        )
    if width * height > _HUGE:
        yield warning(
            "image of huge size",
            path,
            f"{width}x{height} pixels",
            "scale it down: every epoch decodes it anew",
        )


def _mode_findings(path: str, mode: str, bits: object) -> Iterator[Finding]:
    """PIL's modes: L gray, P palette, I;16 sixteen bits, I and F 32 bits, A alpha.

    Yields:
        A finding for each property of the mode that training would not keep.
    """
    if mode in ("L", "1", "LA", "La"):
        yield warning("grayscale", path, "one channel; used as three equal ones", "fine if meant")
    if mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        yield warning("alpha channel", path, "transparency is ignored", "flatten it if it matters")
    if mode == "CMYK":
        yield warning("CMYK", path, "print colours; converted to RGB", "save it as RGB")
    if mode.startswith("I") or mode == "F" or bits == 16:
        yield warning(
            "more than 8 bits",
            path,
            f"mode {mode}; divided by 256 where it can be read",
            "save it with 8 bits, stretched to the range that matters",
        )


def _not_decodable(path: str, data: bytes, expected_size: tuple[int, int] | None) -> Finding:
    try:
        size = read_image(path).shape[:2]
    except UserError:
        if _ends_early(data):
            return _truncated(path)
        return error(
            "image unreadable",
            path,
            "damaged, or of a kind OpenCV cannot decode",
            "replace or remove it",
        )
    expected = expected_size or size
    return error(
        "size differs from labels",
        path,
        f"the image is {size[1]}x{size[0]}, its labels are for {expected[1]}x{expected[0]}",
        "correct width and height in the labels, or restore the right image",
    )


def _truncated(path: str) -> Finding:
    return error("image truncated", path, "the file ends too early", "copy it again or remove it")


def _ends_early(data: bytes) -> bool:
    """Whether the data stops before the picture does; full decoding only where it is in doubt."""
    if data.startswith(b"\xff\xd8") and data.rstrip(b"\x00").endswith(b"\xff\xd9"):
        return False
    if data.startswith(b"\x89PNG") and b"IEND" in data[-64:]:
        return False
    try:
        with Image.open(BytesIO(data)) as image:
            image.load()
    except (OSError, ValueError, SyntaxError) as reason:
        return "truncated" in str(reason) or "end of" in str(reason)
    return False
