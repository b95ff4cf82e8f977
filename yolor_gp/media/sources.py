"""What to look at: image, folder, glob, list file, video, camera or stream, frame by frame."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from yolor_gp.config.suggest import did_you_mean
from yolor_gp.data.pixels.images import IMAGE_SUFFIXES, left_out, read_image
from yolor_gp.errors import UserError, raise_problems
from yolor_gp.files import did_you_mean_path
from yolor_gp.media.video import VIDEO_SUFFIXES, LiveStream, VideoFile, VideoInfo
from yolor_gp.workers import read_ahead

_STREAMS = ("rtsp://", "rtmp://", "http://", "https://", "udp://", "tcp://")


@dataclass(frozen=True)
class Frame:
    """One picture to look at.

    image: u8[H, W, 3] RGB; path: its file, camera or stream; index: its number within that path;
    seconds: since the video began, None for images; video: None for images.
    """

    image: NDArray[np.uint8]
    path: str
    index: int = 0
    seconds: float | None = None
    video: VideoInfo | None = None


class Source(Protocol):
    """An iterable of frames; holds a few at a time, however long it runs.

    total: the number of frames, None where nobody knows; skipped: one line per file that could not
    be read, growing during iteration.
    """

    total: int | None
    skipped: list[str]

    def __iter__(self) -> Iterator[Frame]: ...


class Files:
    """Image and video files one after another, read on a thread ahead of whoever looks at them.

    Raises `UserError` when not one can be read.
    """

    def __init__(self, paths: Sequence[Path], left_out: Sequence[str] = ()) -> None:
        self.paths, self._left_out = tuple(paths), tuple(left_out)
        self.skipped: list[str] = []
        only_images = not any(is_video(path) for path in self.paths)
        self.total = len(self.paths) if only_images else self._count_video_frames()

    def __iter__(self) -> Iterator[Frame]:
        return read_ahead(self._frames())

    def _frames(self) -> Iterator[Frame]:
        self.skipped[:] = self._left_out
        any_frame = False
        for path in self.paths:
            try:
                for frame in _frames_of(path, self.skipped):
                    any_frame = True
                    yield frame
            except UserError as error:
                self.skipped.extend(error.problems)
        if not any_frame:
            raise UserError(*self.skipped)

    def _count_video_frames(self) -> int | None:
        if len(self.paths) > 1:
            return None
        try:
            return VideoFile(str(self.paths[0])).info.frame_count
        except UserError:
            return None


class Live:
    """A camera or a stream."""

    def __init__(self, address: int | str) -> None:
        self.total: int | None = None
        self.skipped: list[str] = []
        self._stream = LiveStream(address)
        self._name = f"camera{address}" if isinstance(address, int) else address

    def __iter__(self) -> Iterator[Frame]:
        for index, (image, seconds) in enumerate(self._stream):
            yield Frame(image, self._name, index, seconds, self._stream.info)


def open_source(text: str) -> Source:
    """The source that `text` names.

    A number is a camera (unless a file has that name), an address with a scheme a stream, a `.txt`
    file a list of paths (relative to itself), a folder all its images and videos; `*`, `?` and `[`
    make a glob (`**` for all depths).

    Raises:
        UserError: When there is nothing to look at.
    """
    path = Path(text)
    if not text.strip():
        raise UserError("the source is empty; give an image, folder, glob, list file, video or URL")
    if text.lower().startswith(_STREAMS):
        return Live(text)
    if path.is_dir():
        return _of_folder(path)
    if path.is_file():
        return Files(_of_list(path) if path.suffix.lower() == ".txt" else [_checked(path)])
    if text.isdecimal():
        return Live(int(text))
    if glob.has_magic(text):
        return Files(_of_glob(text))
    raise UserError(f"{text}: no such file or folder{_nearest(path)}")


def is_video(path: Path) -> bool:
    """Whether the suffix is that of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def _known(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES


def _of_folder(folder: Path) -> Files:
    files = [path for path in folder.iterdir() if path.is_file()]
    paths = sorted(path for path in files if _known(path))
    line = left_out(files)
    if not paths:
        raise UserError(
            f"{folder}: no images or videos in this folder"
            + (f": {line}" if line else f"; for deeper ones try '{folder}/**/*'")
        )
    return Files(paths, [] if line is None else [f"{folder}: {line}"])


def _of_glob(pattern: str) -> list[Path]:
    found = [Path(name) for name in glob.glob(pattern, recursive=True)]  # noqa: PTH207 absolute too
    paths = sorted(path for path in found if _known(path) and path.is_file())
    if not paths:
        raise UserError(
            f"{pattern}: matches no image or video ({len(found)} other files or folders)"
        )
    return paths


def _of_list(file: Path) -> list[Path]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: not a readable list of paths ({error})") from None
    problems, paths = [], []
    for number, line in enumerate(lines, start=1):
        name = line.strip()
        if not name or name.startswith("#"):
            continue
        path = file.parent / name  # an absolute name stays as it is
        if not path.is_file():
            problems.append(f"{file}:{number}: no such file '{name}'")
        elif not _known(path):
            problems.append(f"{file}:{number}: '{name}' is not an image or video by its suffix")
        paths.append(path)
    raise_problems(problems)
    if not paths:
        raise UserError(f"{file}: lists no files; expected one path a line")
    return paths


def _checked(path: Path) -> Path:
    if not _known(path) and not cv2.haveImageReader(str(path)):
        raise UserError(f"{path}: not an image or video (suffix '{path.suffix}', unknown content)")
    return path


def _frames_of(path: Path, skipped: list[str]) -> Iterator[Frame]:
    if not is_video(path):
        yield Frame(read_image(path), str(path))
        return
    video = VideoFile(str(path))
    for index, (image, seconds) in enumerate(video):
        yield Frame(image, str(path), index, seconds, video.info)
    if video.problem is not None:
        skipped.append(video.problem)


def _nearest(path: Path) -> str:
    if hint := did_you_mean_path(path):
        return hint
    if not path.parent.is_dir():
        return f"; the folder {path.parent} does not exist either"
    return did_you_mean(path.name, (other.name for other in path.parent.iterdir()))
