"""CIFAR-10 and MNIST as torchvision leaves them on disk; nothing is downloaded.

CIFAR-10's batches are pickles. They are read by an unpickler that knows four names, each standing
for an inert record: nothing that a file asks for is imported or called.
"""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from yolor_gp.classification.labelled_images import LabelledImages
from yolor_gp.data.doctor.fingerprint import combined
from yolor_gp.errors import UserError

CIFAR_FOLDER, MNIST_FOLDER = "cifar-10-batches-py", "MNIST/raw"

CIFAR_NAMES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
_CIFAR_FILES = {"train": [f"data_batch_{number}" for number in range(1, 6)], "val": ["test_batch"]}
_CIFAR_SIDE = 32

MNIST_NAMES = tuple("0123456789")
_IDX_BYTES = 0x0800
"""Magic number of an idx file of bytes, before its number of dimensions is added."""
_MNIST_FILES = {"train": "train", "val": "t10k"}


def open_cifar(folder: Path, split: str) -> LabelledImages:
    """CIFAR-10's 50,000 training or 10,000 test images.

    folder: of the batches; split: "train" or "val".

    Raises:
        UserError: When a batch is missing or damaged.
    """
    pixels, labels, paths = [], [], []
    for name in _CIFAR_FILES[split]:
        file = folder / name
        rows, own = _cifar_batch(file)
        pixels.append(rows.reshape(-1, 3, _CIFAR_SIDE, _CIFAR_SIDE).transpose(0, 2, 3, 1))
        labels.append(own)
        paths += [f"{file}#{number}" for number in range(len(own))]
    return _in_memory(folder, split, CIFAR_NAMES, np.concatenate(pixels), np.concatenate(labels),
                      paths)  # fmt: skip


def open_mnist(folder: Path, split: str) -> LabelledImages:
    """MNIST's 60,000 training or 10,000 test images, grey as three equal channels.

    folder: of the idx files, packed or not; split: "train" or "val".

    Raises:
        UserError: When a file is missing or damaged.
    """
    stem = _MNIST_FILES[split]
    images = _idx(folder / f"{stem}-images-idx3-ubyte", 3)
    labels = _idx(folder / f"{stem}-labels-idx1-ubyte", 1).astype(np.int64)
    if len(images) != len(labels):
        raise UserError(f"{folder}: {len(images)} images, but {len(labels)} labels")
    pictures = np.repeat(images[..., None], 3, axis=3)
    paths = [f"{folder / stem}#{number}" for number in range(len(labels))]
    return _in_memory(folder, split, MNIST_NAMES, pictures, labels, paths)


def _in_memory(
    folder: Path, split: str, names: tuple[str, ...], pictures: NDArray[np.uint8],
    labels: NDArray[np.int64], paths: list[str],
) -> LabelledImages:  # fmt: skip
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(names):
        raise UserError(f"{folder}: has labels outside of 0 to {len(names) - 1}")
    fingerprint = combined([repr(names), split, str(labels.sum()), str(pictures.sum())])
    pictures = np.ascontiguousarray(pictures)
    return LabelledImages(f"{folder} ({split})", names, labels, tuple(paths), fingerprint, pictures)


class _Record:
    """What a pickle calls for, kept and not made."""

    def __init__(self, *arguments: object) -> None:
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


def _encoded(text: object, encoding: object) -> bytes:
    """How protocol 2 writes bytes.

    Raises:
        UnpicklingError: For anything else.
    """
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("an encoding that CIFAR-10 has not")
    return text.encode("latin-1")


_KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): _Record,
    ("numpy._core.multiarray", "_reconstruct"): _Record,
    ("numpy", "ndarray"): _Record,
    ("numpy", "dtype"): _Record,
    ("_codecs", "encode"): _encoded,
}


class _Unpickler(pickle.Unpickler):  # noqa: S301 it knows the names above only
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, which CIFAR-10 has no need of"
            )
        return _KNOWN[module, name]


def _cifar_batch(file: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """u8[N, 3072] and i64[N].

    Raises:
        UserError: When the file is missing or damaged.
    """
    try:
        with file.open("rb") as stream:
            content = _Unpickler(stream, encoding="bytes").load()
        pixels = cast(tuple[Any, ...], content[b"data"].state)[-1]
        rows = np.frombuffer(pixels, np.uint8).reshape(-1, 3 * _CIFAR_SIDE**2)
        labels = np.array(content[b"labels"], np.int64)
    except FileNotFoundError:
        raise UserError(
            f"{file}: is missing; expected CIFAR-10 as torchvision unpacks it"
        ) from None
    except Exception as error:  # a damaged pickle fails in any way
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise UserError(f"{file}: not a batch of CIFAR-10, or damaged ({reason})") from None
    if len(rows) != len(labels):
        raise UserError(f"{file}: {len(rows)} images, but {len(labels)} labels")
    return rows, labels


def _idx(file: Path, dimensions: int) -> NDArray[np.uint8]:
    """An array of MNIST's format: a magic number, the lengths as big-endian i32, bytes.

    Raises:
        UserError: When the file is missing or damaged.
    """
    packed = file.with_name(f"{file.name}.gz")
    try:
        data = file.read_bytes() if file.is_file() else gzip.decompress(packed.read_bytes())
        magic, *shape = np.frombuffer(data, ">i4", 1 + dimensions).tolist()
        right = magic == _IDX_BYTES + dimensions
        content = np.frombuffer(data, np.uint8, offset=4 * (1 + dimensions)).reshape(shape)
    except FileNotFoundError:
        raise UserError(f"{file}: is missing; expected MNIST as torchvision unpacks it") from None
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{file}: not a file of MNIST, or damaged ({error})") from None
    if not right:
        raise UserError(f"{file}: not a file of MNIST (its magic number is {magic})")
    return content
