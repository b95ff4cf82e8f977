"""Annotated images and videos on disk, whatever mixture of frames comes."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from yolor_gp.errors import UserError
from yolor_gp.media.sources import Frame

_WRITABLE = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_CODECS = ((".mp4", "mp4v"), (".avi", "MJPG"))
"""Containers and codecs in the order they are tried; OpenCV's own wheels have both."""


class AnnotatedFiles:
    """Writes every frame's picture into `folder`: images beside each other, a video per video.

    A context manager: leaving it, also by an exception, closes the last video so that it plays.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._video: VideoFileWriter | None = None
        self._video_of = ""

    def write(self, frame: Frame, picture: NDArray[np.uint8]) -> None:
        """Write `picture` (u8[H, W, 3] RGB) as the annotated form of `frame`."""
        if frame.video is None:
            self._close_video()
            write_image(free_path(self.folder, frame.path), picture)
            return
        if self._video is None or self._video_of != frame.path:
            self._close_video()
            height, width = picture.shape[:2]
            self._video = VideoFileWriter(self.folder, frame.path, frame.video.fps, (width, height))
            self._video_of = frame.path
        self._video.write(picture, frame.seconds or 0.0)

    def _close_video(self) -> None:
        if self._video is not None:
            self._video.close()
        self._video = None

    def __enter__(self) -> AnnotatedFiles:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._close_video()


class VideoFileWriter:
    """One video file named as `source`, of constant frame rate and size (width, height)."""

    def __init__(self, folder: Path, source: str, fps: float, size: tuple[int, int]) -> None:
        self._fps = fps
        self._size = size
        self._written = 0
        self._writer = self._open(folder, source)

    def write(self, picture: NDArray[np.uint8], seconds: float) -> None:
        """Add a picture shown at `seconds`; it stands for the frames a live source has dropped."""
        height, width = picture.shape[:2]
        if (width, height) != self._size:
            picture = np.asarray(cv2.resize(picture, self._size), dtype=np.uint8)
        encoded = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        for _ in range(max(1, round(seconds * self._fps) + 1 - self._written)):
            self._writer.write(encoded)
            self._written += 1

    def close(self) -> None:
        """Finish the file."""
        self._writer.release()

    def _open(self, folder: Path, source: str) -> Any:
        for suffix, codec in _CODECS:
            self.path = free_path(folder, source, suffix)
            code = cv2.VideoWriter.fourcc(*codec)
            writer = cv2.VideoWriter(str(self.path), code, self._fps, self._size)
            if writer.isOpened():
                return writer
        raise UserError(
            f"{self.path}: cannot be written (tried {', '.join(codec for _, codec in _CODECS)});"
            " check that the folder is writable and the disk not full"
        )


def write_image(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write u8[H, W, 3] RGB in the format of the suffix.

    Raises:
        UserError: When it cannot be written.
    """
    if not cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)):
        raise UserError(
            f"{path}: cannot be written; check the folder and that the disk is not full"
        )


def free_path(folder: Path, source: str, suffix: str | None = None) -> Path:
    """A path in `folder` named as `source` that is not taken: a.jpg, a_2.jpg, ...

    suffix: None keeps that of `source` where images can be written so, else .jpg.
    """
    name = Path(source.split("?")[0].rstrip("/"))
    stem = name.stem or "stream"
    if suffix is None:
        suffix = name.suffix.lower() if name.suffix.lower() in _WRITABLE else ".jpg"
    path, number = folder / f"{stem}{suffix}", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}_{number}{suffix}"
    return path
