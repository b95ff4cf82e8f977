"""Inputs that are wrong, the command that is given them, and words of the answer it must give."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

MODEL = "bad.yaml"
HEAD = """
head:
  - [-1, 1, Conv, [8, 3, 8]]
  - {block: AnchorHead, from: [-1], num_classes: nc, anchors: anchors}
anchors: [[10, 13]]
"""
DATA = "train: train\nval: val\nannotations: {train: train.json, val: val.json}\n"


@dataclass(frozen=True)
class BadInput:
    """group and what: for people; command and words: what is run in a folder that `prepare` has
    filled; answer: words that the message must have.
    """

    group: str
    what: str
    command: str
    words: tuple[str, ...]
    answer: tuple[str, ...]
    prepare: Callable[[Path], None]


def _nothing(root: Path) -> None:
    """An empty folder will do."""


def _file(name: str, content: str | bytes) -> Callable[[Path], None]:
    def prepare(root: Path) -> None:
        data = content if isinstance(content, bytes) else content.encode()
        (root / name).write_bytes(data)

    return prepare


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
    yield case("no such folder", "a/b.jpg", "the folder a does not exist", prepare=_nothing)
    yield case("an empty folder", "images", "no images or videos in this folder", "**/*",
               prepare=lambda root: (root / "images").mkdir())  # fmt: skip
    yield case("a glob that matches nothing", "*.jpg", "matches no image or video",
               prepare=_nothing)  # fmt: skip
    yield case("a list with wrong lines", "list.txt", "list.txt:1: no such file 'x.jpg'",
               "list.txt:2: no such file 'y.jpg'",
               prepare=_file("list.txt", "x.jpg\ny.jpg\n"))  # fmt: skip
    yield case("an empty list", "list.txt", "lists no files", prepare=_file("list.txt", "# no\n"))
    yield case("a list that is no text", "list.txt", "not a readable list",
               prepare=_file("list.txt", b"\xff\xfe\x00"))  # fmt: skip
    yield case("a file of another kind", "notes.md", "not an image or video", "suffix '.md'",
               prepare=_file("notes.md", "hello"))  # fmt: skip
    yield case("a camera that is not there", "97", "camera 97: cannot be opened", prepare=_nothing)
    yield case("a stream that is not there", "http://127.0.0.1:9/x.mjpg",
               "the stream cannot be opened", prepare=_nothing)  # fmt: skip
    yield case("an empty source", "", "the source is empty", prepare=_nothing)


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


def _data_yaml() -> Iterator[BadInput]:
    def case(what: str, text: str, *answer: str) -> BadInput:
        words = ("--cfg", "yolor-elan-n", "--data", "bad.yaml")
        return BadInput("data YAML", what, "train", words, answer, _file("bad.yaml", text))

    yield BadInput("data YAML", "no such file or name", "train",
                   ("--cfg", "yolor-elan-n", "--data", "shape"),
                   ("did you mean 'shapes'",), _nothing)  # fmt: skip
    yield case("not YAML", "train: [a, b", "bad.yaml:", "not valid YAML")
    yield case("a tab", "train:\n\t- a", "bad.yaml:2: not valid YAML")
    yield case("a list instead of keys", "- a\n- b", "bad.yaml:1", "found list")
    yield case("an empty file", "", "bad.yaml")
    yield BadInput("data YAML", "not UTF-8", "train",
                   ("--cfg", "yolor-elan-n", "--data", "bad.yaml"),
                   ("bad.yaml: not UTF-8",), _file("bad.yaml", b"train: \xff\xfe"))  # fmt: skip
    yield case("a misspelt key", "trian: a\nval: b\nnames: [c]", "bad.yaml:1: unknown key 'trian'",
               "did you mean 'train'")  # fmt: skip
    yield case("a key twice", "train: a\ntrain: b", "bad.yaml:2: 'train' is given twice")
    yield case("neither train nor val", "names: [a]", "neither 'train' nor 'val'")
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


def _model_yaml() -> Iterator[BadInput]:
    def case(what: str, text: str, *answer: str) -> BadInput:
        return BadInput("model YAML", what, "summarize-model", (MODEL,), answer, _file(MODEL, text))

    def layer(what: str, line: str, *answer: str) -> BadInput:
        return case(what, f"backbone:\n  - {line}{HEAD}", "bad.yaml:2", *answer)

    yield BadInput("model YAML", "no such file or name", "summarize-model", ("yolor-csb",),
                   ("did you mean 'yolor-csp'",), _nothing)  # fmt: skip
    yield case("an empty file", "", "no layers")
    yield case("a misspelt section", "backbon: []", "bad.yaml:1: unknown key 'backbon'",
               "did you mean 'backbone'")  # fmt: skip
    yield case("a section that is no list", "backbone: 5", "'backbone' must be a list")
    yield case("no head", "backbone:\n  - [-1, 1, Conv, [8]]", "bad.yaml")
    yield layer("an unknown block", "{block: ELANN, out_channels: 8}", "did you mean 'ELAN'")
    yield layer("a misspelt argument", "{block: Conv, out_channels: 8, kernal: 3}", "'kernal'",
                "accepts out_channels, kernel")  # fmt: skip
    yield layer("a missing argument", "[-1, 1, Conv, []]", "'out_channels' is missing")
    yield layer("an argument of the wrong type", "[-1, 1, Conv, [8, x]]", "valid integer")
    yield layer("channels below one", "[-1, 1, Conv, [0]]", "greater than")
    yield layer("too many arguments", "[-1, 1, Conv, [8,1,1,0,1,silu,9]]", "at most 6")
    yield layer("three items", "[-1, 1, Conv]", "expected four items", "found 3")
    yield layer("a name that does not exist", "{block: Concat, from: [-1, p9]}", "'p9'")
    yield layer("a layer that does not exist", "[7, 1, Conv, [8]]", "'from' gives 7")
    yield layer("code instead of a number", "[-1, 1, Conv, ['__import__(\"os\")']]",
                "valid integer")  # fmt: skip
    yield case("a circle of extends", "extends: bad.yaml", "goes in a circle")
    yield case("extends of nothing", "extends: none.yaml", "bad.yaml:1: 'extends'", "none.yaml")
    yield case("a replacement of nothing", "extends: yolor-csp\nreplace: {backbon.CSP: {}}",
               "bad.yaml:2", "no such layer or block")  # fmt: skip
    yield case("no classes", f"nc: 0\nbackbone:\n  - [-1, 1, Conv, [8]]{HEAD}", "bad.yaml:1: 'nc'")


def _recipe_yaml() -> Iterator[BadInput]:
    def case(what: str, text: str, *answer: str) -> BadInput:
        words = ("--cfg", "yolor-elan-n", "--hyp", "bad.yaml")
        return BadInput("recipe YAML", what, "train", words, answer, _file("bad.yaml", text))

    yield BadInput("recipe YAML", "no such file or name", "train",
                   ("--cfg", "yolor-elan-n", "--hyp", "yolor640"),
                   ("did you mean 'yolor-640'",), _nothing)  # fmt: skip
    yield case("a misspelt key", "optimizer: {learning_rat: 0.1}",
               "bad.yaml:1: unknown key 'optimizer.learning_rat'", "'learning_rate'")  # fmt: skip
    yield case("a misspelt section", "augmnt: {mosaic: 1}", "did you mean 'augment'")
    yield case("a negative learning rate", "optimizer:\n  learning_rate: -1", "bad.yaml:2",
               "greater than 0")  # fmt: skip
    yield case("a probability above one", "augment: {mosaic: 1.5}", "less than or equal to 1")
    yield case("no epochs", "schedule: {epochs: 0}", "greater than or equal to 1")
    yield case("a word for a number", "loss: {box: much}", "'loss.box'", "'much'")
    yield case("NaN", "loss: {box: .nan}", "'loss.box'", "finite")
    yield case("an unknown shape", "schedule: {shape: cosin}", "'cosine' or 'linear'")
    yield case("a section that is a number", "loss: 5", "'loss'")
    yield case("several at once", "loss: {box: -1}\nema: {decay: 2}", "bad.yaml:1", "bad.yaml:2")
    yield case("an alias within itself", "loss: &a\n  box: *a", "within itself")


def _flags() -> Iterator[BadInput]:
    def case(what: str, line: str, *answer: str) -> BadInput:
        command, *words = line.split()
        return BadInput("flags", what, command, tuple(words), answer, _nothing)

    train = "train --cfg yolor-elan-n"
    yield case("a misspelt command", "trian", "did you mean 'train'")
    yield case("a misspelt flag", f"{train} --batchsize 4", "did you mean '--batch-size'")
    yield case("two unknown flags", f"{train} --epoch 4 --imgg 64", "'--epoch'", "'--imgg'")
    yield case("a flag without value", f"{train} --epochs", "--epochs")
    yield case("a stray word", f"{train} now", "now")
    yield case("no epochs", f"{train} --epochs 0", "at least 1, found '0'")
    yield case("a negative batch", f"{train} --batch-size -4", "at least 1, found '-4'")
    yield case("a batch in words", f"{train} --batch-size two", "found 'two'")
    yield case("an odd image size", f"{train} --img 100", "multiple of 32; use 96 or 128")
    yield case("a tiny image size", f"{train} --img 8", "at least 32")
    yield case("an unknown precision", f"{train} --precision bfloat", "did you mean 'bfloat16'")
    yield case("float16 on a CPU", f"{train} --device cpu --precision float16", "CUDA device")
    yield case("a GPU that is not there", f"{train} --device 63", "63")
    yield case("a device that is none", f"{train} --device tpu", "tpu")
    yield case("a negative seed", f"{train} --seed -1", "found '-1'")
    yield case("a seed too large", f"{train} --seed 99999999999", "seed")
    yield case("--set without value", f"{train} --set augment.mosaic", "augment.mosaic")
    yield case("--set of an unknown key", f"{train} --set augment.mosaik=1", "'mosaic'")
    yield case("--set out of range", f"{train} --set augment.mosaic=7", "less than or equal to 1")
    yield case("nothing to resume", "train --resume", "resume")
    yield case("a run that is not there", "train --resume runs/none", "runs/none")
    yield case("neither --cfg nor --weights", "train", "--cfg")
    yield case("detect without weights", "detect --source .", "--weights")
    yield case(
        "a confidence above one", "detect --weights w --source . --confidence 2", "from 0 to 1"
    )
    yield case("no detections at all", "detect --weights w --source . --max-detections 0", "found")
    yield case("an unknown backend", "val --weights w --backend coco", "did you mean 'hotcoco'")
    yield case("no data to check", "check-dataset", "data")


def _weights() -> Iterator[BadInput]:
    def case(what: str, name: str, prepare: Callable[[Path], None], *answer: str) -> BadInput:
        words = ("--weights", name, "--data", "shapes")
        return BadInput("checkpoints", what, "val", words, (name, *answer), prepare)

    def archive(root: Path) -> None:
        with zipfile.ZipFile(root / "a.pt", "w") as file:
            file.writestr("hello.txt", "no checkpoint")

    def tensors(root: Path) -> None:
        torch.save({"weight": torch.zeros(3)}, root / "a.pt")

    def cut(root: Path) -> None:
        torch.save({"weight": torch.zeros(300)}, root / "whole.pt")
        data = (root / "whole.pt").read_bytes()
        (root / "a.pt").write_bytes(data[: len(data) // 2])

    def bare(root: Path) -> None:
        save_file({"weight": torch.zeros(3)}, root / "a.safetensors")

    def wrong(root: Path) -> None:
        metadata = {"model_yaml": json.dumps("nc: 0"), "names": "[]"}
        save_file({"weight": torch.zeros(3)}, root / "a.safetensors", metadata)

    hostile = b"cos\nsystem\n(S'echo never'\ntR."
    yield case("no such file", "none.pt", _nothing, "no such weights")
    yield case("an empty folder", "run", lambda root: (root / "run").mkdir(), "no such weights")
    yield case("an empty file", "a.pt", _file("a.pt", b""))
    yield case("a text file", "a.pt", _file("a.pt", "hello"))
    yield case("a pickle that runs a command", "a.pt", _file("a.pt", hostile))
    yield case("an archive of something else", "a.pt", archive)
    yield case("half a checkpoint", "a.pt", cut)
    yield case("tensors without a model", "a.pt", tensors)
    yield case("safetensors of noise", "a.safetensors", _file("a.safetensors", b"\xff" * 64))
    yield case("safetensors without a model", "a.safetensors", bare, "no model file")
    yield case("safetensors with a wrong model", "a.safetensors", wrong)


def bad_inputs() -> list[BadInput]:
    """Every case, group by group."""
    groups = (
        _images, _coco, _yolo, _data_yaml, _model_yaml, _recipe_yaml, _flags, _weights,
    )  # fmt: skip
    return [case for group in groups for case in group()]
