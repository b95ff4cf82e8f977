"""Models, recipes, flags and weights that are wrong."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file

from tests.bad_input import BadInput, file_of, nothing
from tests.classification.labelled import write_folders
from tests.interop.darknet_files import write_darknet

MODEL = "bad.yaml"
HEAD = """
head:
  - [-1, 1, Conv, [8, 3, 8]]
  - {block: AnchorHead, from: [-1], num_classes: nc, anchors: anchors}
anchors: [[10, 13]]
"""


def _model_yaml() -> Iterator[BadInput]:
    def case(what: str, text: str, *answer: str) -> BadInput:
        return BadInput(
            "model YAML", what, "summarize-model", (MODEL,), answer, file_of(MODEL, text)
        )

    def layer(what: str, line: str, *answer: str) -> BadInput:
        return case(what, f"backbone:\n  - {line}{HEAD}", "bad.yaml:2", *answer)

    yield BadInput("model YAML", "no such file or name", "summarize-model", ("yolor-csb",),
                   ("did you mean 'yolor-csp'",), nothing)  # fmt: skip
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
    yield layer("too many arguments", "[-1, 1, Conv, [8,1,1,0,1,silu,true,9]]", "at most 7")
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
        return BadInput("recipe YAML", what, "train", words, answer, file_of("bad.yaml", text))

    yield BadInput("recipe YAML", "no such file or name", "train",
                   ("--cfg", "yolor-elan-n", "--hyp", "yolor640"),
                   ("did you mean 'yolor-640'",), nothing)  # fmt: skip
    yield case("a misspelt key", "optimizer: {learning_rat: 0.1}",
               "bad.yaml:1: unknown key 'optimizer.learning_rat'", "'learning_rate'")  # fmt: skip
    yield case("a misspelt section", "augmnt: {mosaic: 1}", "did you mean 'augment'")
    yield case("a negative learning rate", "optimizer:\n  learning_rate: -1", "bad.yaml:2",
               "greater than 0")  # fmt: skip
    yield case("a probability above one", "augment: {mosaic: 1.5}", "less than or equal to 1")
    yield case("no epochs", "schedule: {epochs: 0}", "greater than or equal to 1")
    yield case("a word for a number", "loss: {box: much}", "'loss.box'", "'much'")
    yield case("NaN", "loss: {box: .nan}", "'loss.box'", "finite")
    yield case("an unknown shape", "schedule: {shape: cosin}", "'cosine', 'linear' or 'step'")
    yield case("a section that is a number", "loss: 5", "'loss'")
    yield case("several at once", "loss: {box: -1}\nema: {decay: 2}", "bad.yaml:1", "bad.yaml:2")
    yield case("an alias within itself", "loss: &a\n  box: *a", "within itself")


def _flags() -> Iterator[BadInput]:
    def case(what: str, line: str, *answer: str) -> BadInput:
        command, *words = line.split()
        return BadInput("flags", what, command, tuple(words), answer, nothing)

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
    yield case("a side of two", f"{train} --img 640 650", "--img 640x650: 650 must be a multiple")
    yield case("three sides", f"{train} --img 640 384 3", "width and height")
    yield case("a size of words", f"{train} --img big", "found 'big'")
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
    yield case("a misspelt tracker", "detect --weights w --source . --track bytetrak",
               "did you mean 'bytetrack'")  # fmt: skip
    yield case("ids of nobody", "detect --weights w --source . --save-mot", "needs --track")
    yield case("windows of nothing", "detect --weights w --source . --slice 0", "at least 32")
    yield case("windows without overlap", "val --weights w --slice 320 --overlap 0",
               "--overlap 0", "above 0")  # fmt: skip
    yield case("windows that hardly move", "val --weights w --overlap 0.95", "to 0.9")
    yield BadInput("flags", "networks of other classes", "val",
                   ("--weights", "yolor-elan-n", "two.yaml"), ("two.yaml: 2 classes, but",),
                   file_of("two.yaml", "extends: yolor-elan-n\nnc: 2"))  # fmt: skip
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
    yield case("no such file", "none.pt", nothing, "no such weights")
    yield case("an empty folder", "run", lambda root: (root / "run").mkdir(), "no such weights")
    yield case("an empty file", "a.pt", file_of("a.pt", b""))
    yield case("a text file", "a.pt", file_of("a.pt", "hello"))
    yield case("a pickle that runs a command", "a.pt", file_of("a.pt", hostile))
    yield case("an archive of something else", "a.pt", archive)
    yield case("half a checkpoint", "a.pt", cut)
    yield case("tensors without a model", "a.pt", tensors)
    yield case("safetensors of noise", "a.safetensors", file_of("a.safetensors", b"\xff" * 64))
    yield case("safetensors without a model", "a.safetensors", bare, "no model file")
    yield case("safetensors with a wrong model", "a.safetensors", wrong)


def _foreign_weights() -> Iterator[BadInput]:
    """Darknet's, and YOLOv7's as numbered layers."""

    def case(what: str, name: str, prepare: Callable[[Path], None], *answer: str) -> BadInput:
        words = ("--weights", name, "--data", "shapes")
        return BadInput("other people's weights", what, "val", words, answer, prepare)

    def darknet(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
        def prepare(root: Path) -> None:
            file = write_darknet(root)
            file.write_bytes(change(file.read_bytes()))

        return prepare

    def other_cfg(root: Path) -> None:
        cfg = write_darknet(root).with_suffix(".cfg")
        cfg.write_text(cfg.read_text().replace("filters=12", "filters=16", 1))

    def no_cfg(root: Path) -> None:
        write_darknet(root).with_suffix(".cfg").unlink()

    def numbered(root: Path) -> None:
        state = {
            "0.conv.weight": torch.zeros(32, 3, 3, 3),
            "105.heads.0.head_conv.weight": torch.zeros(255, 256, 1, 1),
        }
        torch.save(state, root / "v7.pt")

    nan = struct.pack("<f", float("nan"))
    small = "small.weights"
    yield case("Darknet's without its .cfg", small, no_cfg, "expected small.cfg")
    yield case("Darknet's, cut off", small, darknet(lambda data: data[:-100]), "found 215")
    yield case("Darknet's, too long", small, darknet(lambda data: data + bytes(400)), "100 numbers")
    yield case("Darknet's with numbers that are none", small,
               darknet(lambda data: data[:-4] + nan), "not finite")  # fmt: skip
    yield case("Darknet's of another .cfg", small, other_cfg, "of another .cfg")
    yield case("numbered layers, most missing", "v7.pt", numbered, "v7.pt: layer 0", "is missing")


def _classify() -> Iterator[BadInput]:
    def case(
        what: str, line: str, *answer: str, prepare: Callable[[Path], object] = nothing
    ) -> BadInput:
        return BadInput("classifiers", what, "classify", tuple(line.split()), answer, prepare)

    def one_part(root: Path) -> None:
        (root / "mine" / "train" / "cat").mkdir(parents=True)

    def no_images(root: Path) -> None:
        for part in ("train", "val"):
            for name in ("cat", "dog"):
                (root / "mine" / part / name).mkdir(parents=True)

    train = "train --cfg resnet50 --data mine"
    yield case("a misspelt word", "trian", "did you mean 'train'")
    yield case("an unknown flag", f"{train} --mosaic 1", "unknown flag '--mosaic'")
    yield case("no model", "train --data mine", "neither --cfg nor --weights")
    yield case("a detector", "train --cfg yolor-elan-n --data mine", "a detector; expected",
               prepare=lambda root: write_folders(root / "mine"))  # fmt: skip
    yield case("no data", "train --cfg resnet50", "--data: name the folder")
    yield case("a folder that is not there", f"{train}", "mine: no such folder")
    yield case("a folder with one part", train, "has no folder 'val'", prepare=one_part)
    yield case("classes without images", train, "hold no images", prepare=no_images)
    yield case("a recipe of a detector", f"{train} --hyp bad.yaml", "unknown key 'loss.box'",
               prepare=file_of("bad.yaml", "loss: {box: 1}"))  # fmt: skip
    yield case("a smoothing above one", f"{train} --set loss.label_smoothing=2", "less than 1")
    yield case("no weights", "val --weights none.pt --data mine", "no such weights")
    yield BadInput("classifiers", "one where a detector is expected", "val",
                   ("--weights", "skip-mlp"), ("skip-mlp: a classifier;",), nothing)  # fmt: skip
    yield BadInput("classifiers", "exported like a detector", "export-model", ("skip-mlp",),
                   ("skip-mlp: a classifier; expected a network",), nothing)  # fmt: skip
    yield case("nothing to look at", "predict --weights w.pt --source nowhere", "nowhere")


def program_cases() -> list[BadInput]:
    """Every case, group by group."""
    groups = (_model_yaml, _recipe_yaml, _flags, _weights, _foreign_weights, _classify)
    return [case for group in groups for case in group()]
