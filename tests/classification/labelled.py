"""Small sets of labelled pictures, and a small network for them."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

COLOURS = {"blue": (40, 60, 220), "green": (40, 200, 60), "red": (220, 50, 40)}

MODEL = """
nc: 3
backbone:
- [-1, 1, Conv, [8, 3, 2]]
- {block: Dropout, probability: 0.1}
- [-1, 1, Conv, [16, 3, 2]]
head:
- {block: Classifier, num_classes: nc}
"""

QUICK: dict[str, Any] = {
    "hyp": "classify", "img": 32, "batch_size": 6, "workers": 0, "precision": "float32",
    "device": "cpu", "log": ["csv"],
}  # fmt: skip


def picture(colour: tuple[int, int, int], seed: int, height: int = 24) -> NDArray[np.uint8]:
    """u8[height, 32, 3]: the colour, and noise."""
    noise = np.random.default_rng(seed).integers(-30, 30, (height, 32, 3))
    return np.clip(noise + np.array(colour), 0, 255).astype(np.uint8)


def write_folders(root: Path, train: int = 8, val: int = 4) -> Path:
    """`root/train/red/0.png`, ...: pictures of three colours."""
    for split, count in (("train", train), ("val", val)):
        for name, colour in COLOURS.items():
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = picture(colour, number + 100 * (split == "val"))
                cv2.imwrite(str(folder / f"{number}.png"), pixels[..., ::-1])
    return root


def write_model(root: Path) -> str:
    file = root / "small.yaml"
    file.write_text(MODEL)
    return str(file)


def write_cifar(root: Path, count: int = 4) -> NDArray[np.uint8]:
    """Batches in CIFAR-10's format, of `count` pictures each; the first batch's rows."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    batches = {}
    for seed, name in enumerate(names):
        rows = np.random.default_rng(seed).integers(0, 255, (count, 3072), np.uint8)
        content = {b"labels": [k % 10 for k in range(count)], b"data": rows, b"batch_label": b"x"}
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
        batches[name] = rows
    return batches["data_batch_1"]


def write_mnist(root: Path, count: int = 5) -> NDArray[np.uint8]:
    """Files in MNIST's format, one of them packed; the training pictures."""
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    made = {}
    for seed, stem in enumerate(("train", "t10k")):
        pixels = np.random.default_rng(seed).integers(0, 255, (count, 28, 28), np.uint8)
        labels = np.arange(count, dtype=np.uint8)
        for kind, array in (("images-idx3", pixels), ("labels-idx1", labels)):
            header = np.array([0x0800 + array.ndim, *array.shape], ">i4").tobytes()
            data = header + array.tobytes()
            packed = kind == "images-idx3" and stem == "train"
            file = folder / f"{stem}-{kind}-ubyte{'.gz' if packed else ''}"
            file.write_bytes(gzip.compress(data) if packed else data)
        made[stem] = pixels
    return made["train"]
