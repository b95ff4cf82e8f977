from __future__ import annotations

import http.server
import threading
import tracemalloc
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from yolor_gp.data.pixels.images import read_image
from yolor_gp.errors import UserError
from yolor_gp.media.sources import Frame, open_source

RED, GREEN = (250, 10, 10), (10, 200, 40)


def two_colours(height: int = 40, width: int = 60) -> NDArray[np.uint8]:
    image = np.empty((height, width, 3), np.uint8)
    image[:, : width // 2] = RED
    image[:, width // 2 :] = GREEN
    return image


def picture() -> Image.Image:
    return Image.fromarray(two_colours())


def near(pixel: NDArray[np.uint8], colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() < 12)


def write_video(path: Path, frames: int, size: tuple[int, int] = (64, 48)) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, size)
    for index in range(frames):
        image = np.zeros((size[1], size[0], 3), np.uint8)
        image[..., 2] = 250  # red in OpenCV's order
        image[:, : index * 2] = 0
        writer.write(image)
    writer.release()
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "jpg", "webp", "tif"])
def test_images_are_rgb(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    picture().save(path)
    image = read_image(path)
    assert image.shape == (40, 60, 3) and image.dtype == np.uint8
    assert near(image[20, 10], RED) and near(image[20, 50], GREEN)


def test_exif_orientation_is_honoured(tmp_path: Path) -> None:
    """Orientation 6: what is stored at the left is shown at the top."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture().save(tmp_path / "a.jpg", exif=exif, quality=95)
    image = read_image(tmp_path / "a.jpg")
    assert image.shape == (60, 40, 3)
    assert near(image[5, 20], RED) and near(image[55, 20], GREEN)


@pytest.mark.parametrize(("mode", "suffix"), [("CMYK", "jpg"), ("P", "png"), ("RGBA", "png")])
def test_other_colour_spaces_become_rgb(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    picture().convert(mode).save(path)
    image = read_image(path)
    assert image.shape == (40, 60, 3)
    assert np.abs(image[20, 10].astype(int) - RED).max() < 40


def test_gray_has_three_equal_channels(tmp_path: Path) -> None:
    picture().convert("L").save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.shape == (40, 60, 3) and np.ptp(image, axis=2).max() == 0


def test_sixteen_bits_are_scaled_to_eight(tmp_path: Path) -> None:
    values = np.full((40, 60), 128 * 256, np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png") == 128).all()


def truncated_png() -> bytes:
    file = BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, "PNG")
    return file.getvalue()[:20000]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"hello, this is text", "not an image"),
        (b"\xff\xd8\xff\xe0 and no more", "damaged, truncated or unsupported JPEG"),
        (truncated_png(), "damaged, truncated or unsupported PNG"),
    ],
)
def test_unreadable_images_say_why(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"a.jpg: .*{message}"):
        read_image(path)


def save_images(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture().save(folder / name)


def names_of(frames: Iterator[Frame]) -> list[str]:
    return [Path(frame.path).name for frame in frames]


def test_a_folder_gives_its_images_in_order(tmp_path: Path) -> None:
    save_images(tmp_path, "b.png", "a.JPG", "deeper/c.png")
    (tmp_path / "notes.md").write_text("not an image")
    source = open_source(str(tmp_path))
    assert source.total == 2
    assert names_of(iter(source)) == ["a.JPG", "b.png"]
    assert source.skipped == []


def test_globs_reach_deeper_folders(tmp_path: Path) -> None:
    save_images(tmp_path, "b.png", "deeper/c.png")
    assert names_of(iter(open_source(f"{tmp_path}/**/*.png"))) == ["b.png", "c.png"]


def test_a_list_file_is_relative_to_itself(tmp_path: Path) -> None:
    save_images(tmp_path, "images/b.png", "images/a.png")
    (tmp_path / "list.txt").write_text("images/b.png\n\n# a comment\nimages/a.png\n")
    assert names_of(iter(open_source(str(tmp_path / "list.txt")))) == ["b.png", "a.png"]


def test_an_image_without_suffix_is_known_by_its_content(tmp_path: Path) -> None:
    picture().save(tmp_path / "image", "PNG")
    assert len(list(open_source(str(tmp_path / "image")))) == 1


def test_unreadable_files_are_named_and_skipped(tmp_path: Path) -> None:
    save_images(tmp_path, "a.png")
    (tmp_path / "b.png").write_text("not an image")
    source = open_source(str(tmp_path))
    assert names_of(iter(source)) == ["a.png"]
    assert len(source.skipped) == 1 and "b.png: not an image" in source.skipped[0]


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_text("not an image")
    with pytest.raises(UserError, match=r"b\.png: not an image"):
        list(open_source(str(tmp_path)))


def test_a_video_gives_frames_with_times(tmp_path: Path) -> None:
    source = open_source(str(write_video(tmp_path / "a.mp4", 7)))
    frames = list(source)
    assert [frame.index for frame in frames] == list(range(7))
    assert frames[3].seconds == pytest.approx(0.3)
    assert frames[0].image.shape == (48, 64, 3)
    assert near(frames[0].image[20, 50], (250, 0, 0))
    assert frames[0].video is not None and frames[0].video.fps == pytest.approx(10)
    assert source.total == 7


def test_a_long_video_is_not_collected(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 60, (640, 480))
    tracemalloc.start()
    count = sum(1 for _ in open_source(str(path)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 60
    assert peak < 8 * 640 * 480 * 3, "more than a few frames were held at once"


def test_a_damaged_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("not a video")
    with pytest.raises(UserError, match=r"a\.mp4: not a readable video"):
        list(open_source(str(tmp_path / "a.mp4")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the source is empty"),
        ("picure.png", "did you mean 'picture.png'"),
        ("no/such/picture.png", "the folder no/such does not exist either"),
        ("*.gif", "matches no image or video"),
        ("empty", "no images or videos in this folder"),
        ("notes.md", "not an image or video"),
        ("nothing.txt", "lists no files"),
        ("wrong.txt", "wrong.txt:2: no such file 'x.png'"),
        ("97", "camera 97: cannot be opened"),
        ("http://127.0.0.1:9/none.mjpg", "the stream cannot be opened"),
    ],
)
def test_sources_that_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    save_images(tmp_path, "picture.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.md").write_text("notes")
    (tmp_path / "nothing.txt").write_text("# nothing\n")
    (tmp_path / "wrong.txt").write_text("picture.png\nx.png\n")
    with pytest.raises(UserError, match=message):
        open_source(text)


class OneStream(http.server.BaseHTTPRequestHandler):
    """Serves thirty JPEG frames as a multipart stream."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        encoded = cv2.imencode(".jpg", two_colours(48, 64)[..., ::-1])[1].tobytes()
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(encoded)}\r\n\r\n"
        for _ in range(30):
            self.wfile.write(head.encode() + encoded + b"\r\n")

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def test_a_stream_is_read_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = http.server.HTTPServer(("127.0.0.1", 0), OneStream)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        source = open_source(f"http://127.0.0.1:{server.server_port}/stream.mjpg")
        frames = list(zip(source, range(3), strict=False))
    finally:
        server.shutdown()
        server.server_close()
    assert frames[0][0].image.shape == (48, 64, 3)
    assert near(frames[0][0].image[20, 10], RED)
    assert source.total is None
