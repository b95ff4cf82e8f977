"""Damaged checkpoints and model files give a `UserError` or load; nothing else ever happens.

The default run tries a few of each kind, the slow one thousands.
"""

from __future__ import annotations

import random
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.interop.archives import write_zip
from tests.interop.official_files import yolor_csp, yolov5, yolov7_tiny
from tests.interop.test_hostile_pickles import tensor
from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.errors import UserError
from yolor_gp.interop.official_checkpoints import import_official
from yolor_gp.interop.safetensors_weights import load_safetensors, save_safetensors
from yolor_gp.interop.torch_archive import open_torch_archive
from yolor_gp.models.builder import build_network, check_model
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.weights import read_weights, save_network

LONGEST = 10.0  # seconds of processor time for one file; a hang would be endless
GOLDENS = ["ckpt_yolov5seg_w0125_d033", "ckpt_yolov7seg_w0125", "ckpt_yolorcsp_w0125"]

_SMALL = "nc: 1\nanchors: [[1,2]]\nhead:\n- [-1, 1, Detect, [nc, anchors]]\n"


def _damaged(content: bytes, generator: random.Random) -> bytes:
    """The content with a few bits flipped, a piece cut, moved, repeated, zeroed or shortened."""
    data = bytearray(content)
    start = generator.randrange(len(data))
    end = min(start + generator.choice([1, 2, 8, 100, 5000]), len(data))
    match generator.randrange(6):
        case 0:
            for _ in range(generator.choice([1, 3, 30])):
                data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        case 1:
            del data[start:]
        case 2:
            del data[start:end]
        case 3:
            data[start:start] = data[start:end]
        case 4:
            data[start:end] = bytes(end - start)
        case 5:
            data[start:end] = generator.randbytes(end - start)
    return bytes(data)


def _try(read: Callable[[], object]) -> bool:
    """Whether it was read; `UserError` is the only way not to be."""
    started = time.process_time()
    try:
        read()
    except UserError as error:
        assert error.problems and all(problem.strip() for problem in error.problems)
        assert len(str(error)) < 10_000
        return False
    finally:
        assert time.process_time() - started < LONGEST
    return True


def _sizes(few: int, many: int) -> list[Any]:
    return [few, pytest.param(many, marks=pytest.mark.slow)]


@pytest.mark.coco
@pytest.mark.parametrize("number", _sizes(6, 1500))
def test_damaged_files(shared: Path, tmp_path: Path, number: int) -> None:
    generator, file = random.Random(number), tmp_path / "damaged.pt"
    contents = [(shared / "golden" / f"{name}.pt").read_bytes() for name in GOLDENS]
    for attempt in range(number):
        file.write_bytes(_damaged(contents[attempt % len(contents)], generator))
        _try(lambda: import_official(file))


@pytest.mark.coco
@pytest.mark.parametrize("number", _sizes(6, 1500))
def test_damaged_pickles_in_whole_files(shared: Path, tmp_path: Path, number: int) -> None:
    """A zip file's checksums would stop the damage before the pickle is read: they are right."""
    generator, file = random.Random(number), tmp_path / "damaged.pt"
    with zipfile.ZipFile(shared / "golden" / f"{GOLDENS[0]}.pt") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    pickled = next(name for name in entries if name.endswith("data.pkl"))
    refused = 0
    for _ in range(number):
        damaged = entries | {pickled: _damaged(entries[pickled], generator)}
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in damaged.items():
                archive.writestr(name, content)
        refused += not _try(lambda: import_official(file))
    assert refused > number / 2


def _random_opcodes(generator: random.Random) -> bytes:
    """Bytes that are mostly whole opcodes, so that the stack machine gets far."""
    one_byte = b"()]}Ntbsuea012RQld" + bytes([0x81, 0x85, 0x86, 0x87, 0x8F, 0x90, 0x92, 0x93, 0x94])
    names = [
        "collections OrderedDict", "models.common Conv", "__builtin__ getattr", "__builtin__ set",
        "__builtin__ object", "torch._utils _rebuild_tensor_v2", "torch HalfStorage", "torch Size",
        "numpy dtype", "numpy.core.multiarray scalar", "pathlib PosixPath", "_codecs encode",
        "copy_reg _reconstructor",
    ]  # fmt: skip
    words = [bytes([code]) for code in one_byte]
    words += [b"K\x05", b"q\x00", b"h\x00", b"q\x01", b"h\x01", b"\x8a\x01\x05"]
    words += [
        b"X" + bytes([len(text), 0, 0, 0]) + text for text in (b"a", b"storage", b"0", b"cpu")
    ]
    words += [b"c" + name.replace(" ", "\n").encode() + b"\n" for name in names]
    chosen = generator.choices(words, k=generator.randrange(1, 60))
    return b"\x80\x02" + b"".join(chosen) + b"."


@pytest.mark.parametrize("number", _sizes(600, 50_000))
def test_random_pickles(tmp_path: Path, number: int) -> None:
    generator, file = random.Random(number), tmp_path / "random.pt"
    for _ in range(number):
        write_zip(file, _random_opcodes(generator), {"0": bytes(16)})
        _try(lambda: open_torch_archive(file))


@pytest.mark.parametrize("number", _sizes(300, 10_000))
def test_damaged_tensors(tmp_path: Path, number: int) -> None:
    generator, file, content = random.Random(number), tmp_path / "tensor.pt", tensor()

    def read() -> None:
        archive = open_torch_archive(file)
        archive.tensors({"a": archive.root} if hasattr(archive.root, "storage") else {})

    for _ in range(number):
        write_zip(file, _damaged(content, generator), {"0": bytes(16)})
        _try(read)


def test_legacy_files(tmp_path: Path) -> None:
    generator, file = random.Random(0), tmp_path / "legacy.pt"
    weights = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.float16)}
    torch.save(weights, file, _use_new_zipfile_serialization=False)
    archive = open_torch_archive(file)
    loaded = archive.tensors(archive.root)
    assert all(torch.equal(loaded[name], weights[name].float()) for name in weights)
    content = file.read_bytes()

    def read() -> None:
        archive = open_torch_archive(file)
        if isinstance(archive.root, dict):
            archive.tensors({k: v for k, v in archive.root.items() if hasattr(v, "storage")})

    for _ in range(150):
        file.write_bytes(_damaged(content, generator))
        _try(read)


@pytest.mark.parametrize("number", _sizes(100, 3000))
def test_damaged_own_checkpoints(tmp_path: Path, number: int) -> None:
    """Through the door that `--weights` takes; half with right checksums around the damage."""
    generator, file = random.Random(number), tmp_path / "own.pt"
    network = build_network(ModelSpec.from_text(_SMALL, "x.yaml"))
    assert isinstance(network, DetectionNetwork)
    save_network(network, file, 64)
    content = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        pickled = archive.read(next(n for n in archive.namelist() if n.endswith("data.pkl")))
        storages = {
            n.rsplit("/", 1)[1]: archive.read(n) for n in archive.namelist() if "/data/" in n
        }
    for attempt in range(number):
        if attempt % 2:
            write_zip(file, _damaged(pickled, generator), storages)
        else:
            file.write_bytes(_damaged(content, generator))
        _try(lambda: read_weights(file))


@pytest.mark.parametrize("number", _sizes(200, 5000))
def test_damaged_safetensors(tmp_path: Path, number: int) -> None:
    generator, file = random.Random(number), tmp_path / "x.safetensors"
    spec = ModelSpec.from_text(_SMALL, "x.yaml")
    save_safetensors(file, spec, build_network(spec).state_dict(), ("cat",))
    content = file.read_bytes()
    for _ in range(number):
        file.write_bytes(_damaged(content, generator))
        _try(lambda: load_safetensors(file))


_WRONG_VALUES: list[Any] = [
    None, True, -1, 0, 1, 3, 10**9, -(10**30), 0.5, float("nan"), "", "nc", "Conv", "C3", [], [[]],
    "__import__('os').system('touch x')", {}, [1, 2], {"block": "Conv"}, "-1", "Concat", "Detect",
    "nn.Upsample", "IDetect", "SPPCSPC", "RepConv", "MP", "ELAN",
]  # fmt: skip


def _mutated(value: Any, generator: random.Random, chance: float) -> Any:
    """The YAML value with some parts replaced by what does not belong there."""
    if generator.random() < chance:
        return generator.choice(_WRONG_VALUES)
    if isinstance(value, list):
        items = [_mutated(item, generator, chance) for item in value]
        if items and generator.random() < chance:
            items.insert(generator.randrange(len(items)), generator.choice(items))
        return items
    if isinstance(value, dict):
        return {key: _mutated(item, generator, chance) for key, item in value.items()}
    return value


def _model_files(number: int) -> Iterator[str]:
    generator = random.Random(number)
    texts = [yolov5("n"), yolov7_tiny(), yolor_csp(0.33, 0.25)]
    plain = [yaml.safe_load(text) for text in texts]
    for attempt in range(number):
        which = attempt % len(texts)
        if attempt % 3:
            yield yaml.safe_dump(_mutated(plain[which], generator, 0.004))
        else:
            yield _damaged(texts[which].encode(), generator).decode("utf-8", "replace")


@pytest.mark.parametrize("number", _sizes(10, 3000))
def test_damaged_model_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.chdir(tmp_path)
    for text in _model_files(number):
        _try(lambda text=text: check_model(ModelSpec.from_text(text, "damaged.yaml")))  # type: ignore[misc]
    assert not list(tmp_path.iterdir())
