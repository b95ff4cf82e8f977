"""Images, labels and data files that are wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from tests.bad_input import BadInput, file_of, nothing

DATA = "train: train\nval: val\nannotations: {train: train.json, val: val.json}\n"


def encoded(suffix: str) -> bytes:
    """A picture of noise, 64 wide and 48 high."""
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    return bytes(cv2.imencode(suffix, noise)[1].tobytes())


def float_tiff() -> bytes:
    file = BytesIO()
    Image.fromarray(np.ones((48, 64), np.float32)).save(file, "TIFF")
    return file.getvalue()


def write_coco(root: Path, spoil: Callable[[dict[str, Any]], None] | None = None) -> None:
    """A sound data set of one image a split, its training labels spoiled by `spoil`."""
    for number, split in enumerate(("train", "val")):
        (root / split).mkdir()
        pixels = np.full((48, 64, 3), 50 + number, np.uint8)
        cv2.imwrite(str(root / split / "0.png"), pixels)
        content: dict[str, Any] = {
            "images": [{"id": 1, "file_name": "0.png", "height": 48, "width": 64}],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 3, "bbox": [5, 5, 20, 10], "area": 200,
                 "iscrowd": 0, "segmentation": [[5, 5, 25, 5, 25, 15]]}
            ],
            "categories": [{"id": 3, "name": "cat"}],
        }  # fmt: skip
        if spoil is not None and split == "train":
            spoil(content)
        (root / f"{split}.json").write_text(json.dumps(content))
    (root / "data.yaml").write_text(DATA)


def _images() -> Iterator[BadInput]:
    def case(what: str, source: str, *answer: str, prepare: Callable[[Path], None]) -> BadInput:
        words = ("--weights", "none.pt", "--source", source)
        return BadInput("images and other sources", what, "detect", words, answer, prepare)

    # An image is only read once the network stands: these go through the doctor.
    def spoiled(what: str, content: bytes | None, *answer: str) -> BadInput:
        def prepare(root: Path) -> None:
            write_coco(root)
            if content is None:
                (root / "train" / "0.png").unlink()
            else:
                (root / "train" / "0.png").write_bytes(content)

        words = ("--cfg", "yolor-elan-n", "--data", "data.yaml")
        return BadInput("images and other sources", what, "train", words, answer, prepare)

    yield spoiled("an empty image", b"", "train/0.png: the file is empty", "replace or remove")
    yield spoiled("text named .png", b"hello", "train/0.png: not an image by its content")
    yield spoiled("a truncated PNG", encoded(".png")[:3000], "train/0.png", "ends too early")
    yield spoiled("a truncated JPEG", encoded(".jpg")[:1500], "train/0.png", "ends too early")
    yield spoiled("a JPEG of a header only", b"\xff\xd8\xff\xe0", "train/0.png")
    yield spoiled("32-bit pixels", float_tiff(), "train/0.png", "OpenCV cannot decode")
    yield spoiled("a missing image", None, "train/0.png: no such file", "remove its labels")
    yield case("no such source", "imges", "imges: no such file or folder",
               "did you mean 'images'", prepare=lambda root: (root / "images").mkdir())  # fmt: skip
    yield case("no such folder", "a/b.jpg", "the folder a does not exist", prepare=nothing)
    yield case("an empty folder", "images", "no images or videos in this folder", "**/*",
               prepare=lambda root: (root / "images").mkdir())  # fmt: skip
    yield case("a glob that matches nothing", "*.jpg", "matches no image or video",
               prepare=nothing)  # fmt: skip
    yield case("a list with wrong lines", "list.txt", "list.txt:1: no such file 'x.jpg'",
               "list.txt:2: no such file 'y.jpg'",
               prepare=file_of("list.txt", "x.jpg\ny.jpg\n"))  # fmt: skip
    yield case("an empty list", "list.txt", "lists no files", prepare=file_of("list.txt", "# no\n"))
    yield case("a list that is no text", "list.txt", "not a readable list",
               prepare=file_of("list.txt", b"\xff\xfe\x00"))  # fmt: skip
    yield case("a file of another kind", "notes.md", "not an image or video", "suffix '.md'",
               prepare=file_of("notes.md", "hello"))  # fmt: skip
    yield case("a camera that is not there", "97", "camera 97: cannot be opened", prepare=nothing)
    yield case("a stream that is not there", "http://127.0.0.1:9/x.mjpg",
               "the stream cannot be opened", prepare=nothing)  # fmt: skip
    yield case("an empty source", "", "the source is empty", prepare=nothing)


def _coco() -> Iterator[BadInput]:
    def case(what: str, spoil: Callable[[dict[str, Any]], None], *answer: str) -> BadInput:
        words = ("--cfg", "yolor-elan-n", "--data", "data.yaml")
        prepare = lambda root: write_coco(root, spoil)  # noqa: E731
        return BadInput("COCO labels", what, "train", words, answer, prepare)

    def annotation(**changes: Any) -> Callable[[dict[str, Any]], None]:
        return lambda content: content["annotations"][0].update(changes)

    def image(**changes: Any) -> Callable[[dict[str, Any]], None]:
        return lambda content: content["images"][0].update(changes)

    def file(what: str, text: str | None, *answer: str) -> BadInput:
        def prepare(root: Path) -> None:
            write_coco(root)
            if text is None:
                (root / "train.json").unlink()
            else:
                (root / "train.json").write_text(text)

        words = ("--cfg", "yolor-elan-n", "--data", "data.yaml")
        return BadInput("COCO labels", what, "train", words, answer, prepare)

    runs = {"size": [48, 64]}
    first = "train.json: annotation 1 (0.png)"
    yield file("no such JSON", None, "train.json: cannot be read")
    yield file("not JSON", "{'images': 1}", "train.json: not JSON", "line 1")
    yield file("a JSON list", "[1, 2]", "expected a COCO dictionary, found list")
    yield file("deeply nested JSON", "[" * 10**5, "train.json: not JSON")
    yield case("no images key", lambda c: c.pop("images"), "expected a list 'images'")
    yield case("annotations that are no list", lambda c: c.update(annotations={}),
               "expected a list 'annotations'")  # fmt: skip
    yield case("no image at all", lambda c: c.update(images=[], annotations=[]),
               "'images' is empty")  # fmt: skip
    yield case("no class at all", lambda c: c.update(categories=[], annotations=[]),
               "'categories' is empty")  # fmt: skip
    yield case("a box with NaN", annotation(bbox=[float("nan"), 5, 9, 9]), first, "finite")
    yield case("a box of three numbers", annotation(bbox=[5, 5, 9]), first, "[x, y, w, h]")
    yield case("a box of words", annotation(bbox=["5", 5, 9, 9]), first, "finite numbers")
    yield case("no box", lambda c: c["annotations"][0].pop("bbox"), first, "bbox is None")
    yield case("an unknown class", annotation(category_id=9), first, "category_id 9")
    yield case("no class", annotation(category_id=None), first, "category_id None")
    yield case("an unknown image id", annotation(image_id=7), "annotation 1", "image_id 7")
    yield case("an image id twice", lambda c: c["images"].append(dict(c["images"][0])),
               "image 1", "an id of its own")  # fmt: skip
    yield case("a class id twice", lambda c: c["categories"].append({"id": 3, "name": "dog"}),
               "category 3", "already is 'cat'")  # fmt: skip
    yield case("a class without name", lambda c: c["categories"][0].pop("name"), "text 'name'")
    yield case("an image of no height", image(height=0), "height and width are (0, 64)")
    yield case("an image of another size", image(width=65), "the image is 64x48, its labels are",
               "65x48")  # fmt: skip
    yield case("an image without file name", image(file_name=None), "text 'file_name'")
    yield case("a polygon of odd length", annotation(segmentation=[[1, 2, 3, 4, 5, 6, 7]]), first,
               "x, y pairs")  # fmt: skip
    yield case("a polygon of words", annotation(segmentation=[[1, 2, 3, 4, 5, "6"]]), first,
               "something but numbers")  # fmt: skip
    yield case("a polygon with infinity",
               annotation(segmentation=[[1, 2, 3, float("inf"), 5, 6]]), first,
               "infinity")  # fmt: skip
    yield case("a segmentation that is a number", annotation(segmentation=5), first, "is a int")
    yield case("run lengths that do not add up", annotation(segmentation=runs | {"counts": [3]}),
               first, "do not add up")  # fmt: skip
    yield case("damaged text of run lengths", annotation(segmentation=runs | {"counts": "~~~"}),
               first, "damaged")  # fmt: skip
    yield case("run lengths of another size",
               annotation(segmentation={"size": [4, 6], "counts": [24]}), first,
               "[4, 6]")  # fmt: skip
    yield case("negative run lengths",
               annotation(segmentation=runs | {"counts": [-1, 48 * 64 + 1]}), first)  # fmt: skip
    yield case("classes that differ between train and val",
               lambda c: c["categories"][0].update(name="dog"), "different classes")  # fmt: skip


def _yolo() -> Iterator[BadInput]:
    def case(
        what: str, labels: str | bytes, *answer: str, image: bool = True, names: str = "[cat, dog]"
    ) -> BadInput:
        def prepare(root: Path) -> None:
            for split in ("train", "val"):
                (root / "images" / split).mkdir(parents=True)
                (root / "labels" / split).mkdir(parents=True)
                if image:
                    (root / "images" / split / "0.png").write_bytes(encoded(".png"))
                (root / "labels" / split / "0.txt").write_text("0 0.5 0.5 0.1 0.1\n")
            data = labels if isinstance(labels, bytes) else labels.encode()
            (root / "labels" / "train" / "0.txt").write_bytes(data)
            text = f"train: images/train\nval: images/val\nnames: {names}\n"
            (root / "data.yaml").write_text(text)

        words = ("--cfg", "yolor-elan-n", "--data", "data.yaml")
        return BadInput("YOLO labels", what, "train", words, answer, prepare)

    first = "labels/train/0.txt:1"
    yield case("a class that has no name", "2 0.5 0.5 0.1 0.1", first, "not one of 0 to 1")
    yield case("a negative class", "-1 0.5 0.5 0.1 0.1", first, "class -1")
    yield case("half a class", "0.5 0.5 0.5 0.1 0.1", first, "class 0.5")
    yield case("NaN", "0 nan 0.5 0.1 0.1", first, "finite")
    yield case("a word", "0 0.5 0.5 0.1 wide", first, "found 'wide'")
    yield case("too few values", "0 0.5 0.5 0.1", first, "found 4 values")
    yield case("a polygon of two points and a half", "0 .1 .1 .2 .2 .3", first, "three points")
    yield case("a box without width", "0 0.5 0.5 0 0.1", first, "positive width and height")
    yield case("a box in pixels", "0 320 240 50 40", first, "divide pixels")
    yield case("the second line wrong", "0 0.5 0.5 0.1 0.1\n7 0.5 0.5 0.1 0.1", "0.txt:2")
    yield case("labels that are no text", b"\xff\xfe\x00\x80", "0.txt", "not a text file")
    yield case("a folder without images", "", "no pictures found", image=False)


def _folders() -> Iterator[BadInput]:
    def case(what: str, prepare: Callable[[Path], None], *answer: str) -> BadInput:
        words = ("--cfg", "yolor-elan-n", "--data", "export")
        return BadInput("data YAML", what, "train", words, answer, prepare)

    def yolo(root: Path) -> None:
        for kind in ("images", "labels"):
            (root / "export" / kind).mkdir(parents=True)

    def one_part(root: Path) -> None:
        (root / "export").mkdir()
        write_coco(root / "export")
        for name in ("data.yaml", "val.json"):
            (root / "export" / name).unlink()

    yield BadInput("data YAML", "the labels themselves", "train",
                   ("--cfg", "yolor-elan-n", "--data", "train.json"),
                   ("train.json: labels, not a data YAML",), write_coco)  # fmt: skip
    yield case("a folder without labels", lambda root: (root / "export").mkdir(),
               "export: no data YAML lies there, nor labels")  # fmt: skip
    yield case("a folder of YOLO labels without class names", yolo, "put a classes.txt there")
    yield case("an export that is not divided", one_part, "export: 'val' is missing; divide it")


def _data_yaml() -> Iterator[BadInput]:
    def case(what: str, text: str, *answer: str) -> BadInput:
        words = ("--cfg", "yolor-elan-n", "--data", "bad.yaml")
        return BadInput("data YAML", what, "train", words, answer, file_of("bad.yaml", text))

    yield BadInput("data YAML", "no such file or name", "train",
                   ("--cfg", "yolor-elan-n", "--data", "shape"),
                   ("did you mean 'shapes'",), nothing)  # fmt: skip
    yield from _folders()
    yield case("not YAML", "train: [a, b", "bad.yaml:", "not valid YAML")
    yield case("a tab", "train:\n\t- a", "bad.yaml:2: not valid YAML")
    yield case("a list instead of keys", "- a\n- b", "bad.yaml:1", "found list")
    yield case("an empty file", "", "bad.yaml")
    yield BadInput("data YAML", "not UTF-8", "train",
                   ("--cfg", "yolor-elan-n", "--data", "bad.yaml"),
                   ("bad.yaml: not UTF-8",), file_of("bad.yaml", b"train: \xff\xfe"))  # fmt: skip
    yield case("a misspelt key", "trian: a\nval: b\nnames: [c]", "bad.yaml:1: unknown key 'trian'",
               "did you mean 'train'")  # fmt: skip
    yield case("a key twice", "train: a\ntrain: b", "bad.yaml:2: 'train' is given twice")
    yield case("neither train nor val", "names: [a]", "neither 'train' nor 'val'")
    yield case("slices without overlap", "train: a\nnames: [c]\nslice: {size: 640, overlap: 0}",
               "bad.yaml:3: 'slice.overlap'", "greater than 0")  # fmt: skip
    yield case("no names", "train: a\nval: b", "'names' is missing")
    yield case(
        "a name twice", "train: a\nval: b\nnames: [c, c]", "bad.yaml:3", "'c' is given twice"
    )
    yield case("nc that differs", "train: a\nval: b\nnc: 3\nnames: [c]", "bad.yaml:3", "'nc' is 3")
    yield case("labels from 1", "train: a\nval: b\nnames: {1: c}", "keys of 'names' must be 0 to 0")
    yield case("annotations of one split", "train: a\nval: b\nannotations: {train: c}",
               "'annotations' has no 'val'")  # fmt: skip
    yield case("names beside annotations",
               "train: a\nval: b\nannotations: {train: c, val: d}\nnames: [e]",
               "bad.yaml:4")  # fmt: skip
    yield case("shapes and train", "shapes: {train: 5}\ntrain: a", "bad.yaml:2", "beside 'shapes'")
    yield case("shapes of no size", "shapes: {size: 3}", "bad.yaml:1", "'shapes.size'")
    yield case("a number for a path", "train: 5\nval: b\nnames: [c]", "bad.yaml:1", "'train'")


def data_cases() -> list[BadInput]:
    """Every case, group by group."""
    return [case for group in (_images, _coco, _yolo, _data_yaml) for case in group()]
