"""Videos, cameras and streams, one frame at a time."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from yolor_gp.errors import UserError

VIDEO_SUFFIXES = frozenset({
    ".3gp", ".asf", ".avi", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts",
    ".webm", ".wmv",
})  # fmt: skip

DEFAULT_FPS = 30.0


@dataclass(frozen=True)
class VideoInfo:
    """fps: frames a second; frame_count: as the file claims, None where it does not say."""

    fps: float
    frame_count: int | None


class VideoFile:
    """A video file as an iterable of (u8[H, W, 3] RGB, seconds); never more than one frame held.

    Raises `UserError` on construction where it cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.problem: str | None = None
        """After reading: what was wrong with it."""
        capture = open_capture(path, f"{path}: not a readable video")
        self.info = _info(capture)
        capture.release()

    def __iter__(self) -> Iterator[tuple[NDArray[np.uint8], float]]:
        capture = open_capture(self.path, f"{self.path}: not a readable video")
        claimed = self.info.frame_count or 0
        self.problem = None
        read = position = 0
        try:
            while True:
                found, image = capture.read()
                if found:
                    yield to_rgb(image), position / self.info.fps
                    read += 1
                elif not _is_damaged(position, claimed) or position >= claimed:
                    break
                else:  # what comes behind the damage may be whole
                    capture.set(cv2.CAP_PROP_POS_FRAMES, position + 1)
                position += 1
        finally:
            capture.release()
        if _is_damaged(read, claimed):
            self.problem = (
                f"{self.path}: {read} of {claimed} frames could be read; the file is damaged"
            )


class LiveStream:
    """The newest frames of a camera (its index) or stream (its URL), until it ends.

    A thread reads as fast as frames come and keeps the last one only, so that a slow consumer sees
    the present instead of an ever longer past. `reconnects` times a broken stream is opened again.
    """

    def __init__(self, address: int | str, reconnects: int = 3, pause_s: float = 1.0) -> None:
        self.address = address
        self.dropped = 0
        self._reconnects = reconnects
        self._pause_s = pause_s
        self._problem = (
            f"camera {address}: cannot be opened; check that it is connected and free"
            if isinstance(address, int)
            else f"{address}: the stream cannot be opened; check the address and the network"
        )
        self._capture = open_capture(address, self._problem)
        self.info = VideoInfo(_info(self._capture).fps, None)
        self._changed = threading.Condition()
        self._newest: tuple[NDArray[np.uint8], float] | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._read, name="live stream", daemon=True)

    def __enter__(self) -> LiveStream:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        with self._changed:
            self._ended = True
        self._thread.join(timeout=5)

    def __iter__(self) -> Iterator[tuple[NDArray[np.uint8], float]]:
        with self:
            while (newest := self._next()) is not None:
                yield newest

    def _next(self) -> tuple[NDArray[np.uint8], float] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._ended)
            newest, self._newest = self._newest, None
            return newest

    def _read(self) -> None:
        started = time.monotonic()
        attempts = 0
        try:
            while not self._ended:
                found, image = self._capture.read()
                if found:
                    attempts = 0
                    self._put(to_rgb(image), time.monotonic() - started)
                elif attempts < self._reconnects:
                    attempts += 1
                    time.sleep(self._pause_s)
                    self._capture.open(self.address)
                else:
                    break
        finally:
            self._capture.release()
            with self._changed:
                self._ended = True
                self._changed.notify()

    def _put(self, image: NDArray[np.uint8], seconds: float) -> None:
        with self._changed:
            self.dropped += self._newest is not None
            self._newest = (image, seconds)
            self._changed.notify()


def open_capture(address: int | str, problem: str) -> Any:
    """An open `cv2.VideoCapture`, turned as the video's rotation says.

    Raises:
        UserError: With the text `problem`, when it cannot be opened.
    """
    capture = cv2.VideoCapture(address)
    if not capture.isOpened():
        raise UserError(problem)
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return capture


def to_rgb(image: Any) -> NDArray[np.uint8]:
    """OpenCV's frame (BGR or gray) as u8[H, W, 3] RGB."""
    code = cv2.COLOR_GRAY2RGB if image.ndim == 2 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(image, code), dtype=np.uint8)


def _is_damaged(read: int, claimed: int) -> bool:
    """Whether frames are missing; what containers claim may be wrong by a few."""
    return read < claimed - max(2, claimed // 50)


def _info(capture: Any) -> VideoInfo:
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    count = float(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    return VideoInfo(
        fps=fps if math.isfinite(fps) and 0 < fps <= 1000 else DEFAULT_FPS,
        frame_count=int(count) if math.isfinite(count) and 0 < count < 1e9 else None,
    )
