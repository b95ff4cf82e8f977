"""No pickle, however made, runs code, hangs or raises anything but `UserError`."""

from __future__ import annotations

import importlib
import os
import pickle
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.interop.archives import Stored, dump, write_zip
from yolor_gp.errors import UserError
from yolor_gp.interop.torch_archive import open_torch_archive


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def _refused(tmp_path: Path, pickled: bytes, storages: dict[str, bytes] | None = None) -> str:
    with pytest.raises(UserError) as caught:
        open_torch_archive(write_zip(tmp_path / "hostile.pt", pickled, storages))
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'hostile.pt'}: ")
    assert "\n" not in message
    return message


CALLS: dict[str, Callable[[str], Call]] = {
    "posix.system": lambda marker: Call(os.system, f"touch {marker}"),
    "posix.mkdir": lambda marker: Call(os.mkdir, marker),
    "posix.open": lambda marker: Call(os.open, marker, os.O_CREAT),
    "os.popen": lambda marker: Call(os.popen, f"touch {marker}"),
    "subprocess.Popen": lambda marker: Call(subprocess.Popen, ["touch", marker]),
    "subprocess.check_output": lambda marker: Call(subprocess.check_output, ["touch", marker]),
    "builtins.eval": lambda marker: Call(eval, f"open({marker!r}, 'w')"),  # noqa: S307
    "builtins.exec": lambda marker: Call(exec, f"open({marker!r}, 'w')"),
    "builtins.compile": lambda marker: Call(compile, f"open({marker!r}, 'w')", "x", "exec"),
    "builtins.__import__": lambda _: Call(__import__, "antigravity"),
    "builtins.map": lambda marker: Call(map, os.mkdir, [marker]),
    "importlib.import_module": lambda _: Call(importlib.import_module, "antigravity"),
    "shutil.copy": lambda marker: Call(shutil.copy, "/etc/hostname", marker),
    "_pickle.loads": lambda marker: Call(pickle.loads, dump(Call(os.mkdir, marker))),
    "torch.serialization.load": lambda marker: Call(torch.load, marker),
    "torch.serialization.save": lambda marker: Call(torch.save, {}, marker),
    "calls getattr on a str": lambda marker: Call(getattr, Path(marker), "touch"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_refused_with_its_name_and_never_made(tmp_path: Path, name: str) -> None:
    marker = tmp_path / "marker"
    call = CALLS[name](str(marker))
    assert name in _refused(tmp_path, dump({"model": call}, protocol=4))
    assert "refused" in _refused(tmp_path, dump([call], protocol=2))
    assert not marker.exists()


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


STORAGE = Stored(id=("storage", torch.HalfStorage, "0", "cpu", 8))


def tensor(shape: Any = (8,), stride: Any = (1,), offset: Any = 0, storage: Any = STORAGE) -> bytes:
    rebuild = torch._utils._rebuild_tensor_v2
    return dump(Call(rebuild, storage, offset, shape, stride, False, {}))


def storage(*identifier: Any) -> bytes:
    return tensor(storage=Stored(id=identifier))


NESTED_TUPLE = b")" + b"\x85" * 100_000
RAW: dict[str, tuple[bytes, str]] = {
    "dotted name": (b"\x80\x04" + text("models.yolo") + text("os.system") + b"\x93.", "os.system"),
    "module like ours": (b"\x80\x02cmodels.os;os\nsystem\n.", "models.os;os.system"),
    "control characters": (b"\x80\x02cos\x07\nsys\x1btem\n.", r"os\x07.sys\x1btem"),
    "class called": (b"\x80\x02cmodels.common\nConv\n)R.", "models.common.Conv"),
    "class of no module": (b"\x80\x02(X\x01\x00\x00\x00aX\x01\x00\x00\x00b\x93.", "a.b"),
    "new object of a function": (b"\x80\x02c__builtin__\ngetattr\n)\x81.", "getattr"),
    "getattr of a dunder": (
        b"\x80\x02c__builtin__\ngetattr\ncmodels.yolo\nDetect\n" + text("__class__") + b"\x86R.",
        "__class__",
    ),
    "getattr twice": (
        b"\x80\x02c__builtin__\ngetattr\nc__builtin__\ngetattr\n"
        b"cmodels.yolo\nDetect\n" + text("forward") + b"\x86R" + text("x") + b"\x86R.",
        "getattr",
    ),
    "calling what getattr gave": (
        b"\x80\x02c__builtin__\ngetattr\ncmodels.yolo\nDetect\n" + text("forward") + b"\x86R)R.",
        "forward",
    ),
    "state of a list": (b"\x80\x02]}b.", "sets the state of a list"),
    "old instance opcode": (b"\x80\x02(ios\nsystem\n.", "INST"),
    "old object opcode": (b"\x80\x02(cmodels.yolo\nDetect\no.", "OBJ"),
    "extension registry": (b"\x80\x02\x82\x01.", "EXT1"),
    "text persistent id": (b"\x80\x02Pstorage\n.", "PERSID"),
    "out-of-band buffer": (b"\x80\x05\x97.", "NEXT_BUFFER"),
    "nested tuple as key": (b"\x80\x02}" + NESTED_TUPLE + b"K\x01s.", "tuple as a dictionary key"),
    "object as key": (b"\x80\x02}cmodels.yolo\nDetect\n)\x81K\x01s.", "dictionary key"),
    "colliding integer keys": (
        b"\x80\x02}\x8a\x09" + (2**61 - 1).to_bytes(9, "little") + b"K\x01s.", "dictionary key"
    ),
    "damaged escape": (b"\x80\x02(S'\\'\n.", "damaged"),
    "unknown memo": (b"\x80\x02h\x07.", "damaged"),
    "no stop": (b"\x80\x02}", "damaged"),
    "nothing to stop at": (b"\x80\x02.", "damaged"),
    "two values": (b"\x80\x02}}.", "damaged"),
    "pop below": (b"\x80\x020.", "damaged"),
    "mark missing": (b"\x80\x02t.", "damaged"),
    "half an item": (b"\x80\x02}(K\x01u.", "damaged"),
    "append to a tuple": (b"\x80\x02)K\x01a.", "appends to a tuple"),
    "items of a list": (b"\x80\x02]K\x01K\x02s.", "sets items of a list"),
    "members of a dict": (b"\x80\x04}(K\x01\x90.", "adds members to a dict"),
    "string longer than the file": (b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x.", "damaged"),
    "number of a million digits": (b"\x80\x02L" + b"9" * 10**6 + b"L\n.", "damaged"),
    "unknown opcode": (b"\x80\x02\xff.", "damaged"),
    "tensor beyond its storage": (tensor(shape=(9,)), "reaches beyond"),
    "tensor at an offset": (tensor(offset=1), "reaches beyond"),
    "tensor with wide strides": (tensor((2, 2), (1, 7)), "reaches beyond"),
    "tensor repeating its storage": (tensor((2**20, 2**20), (0, 0)), "reaches beyond"),
    "tensor with negative strides": (tensor((8,), (-1,), 7), "do not fit"),
    "tensor of negative size": (tensor((-8,)), "do not fit"),
    "tensor of true size": (tensor((True,)), "do not fit"),
    "tensor of 1000 dimensions": (tensor((1,) * 1000, (1,) * 1000), "do not fit"),
    "tensor of no storage": (tensor(storage=[1]), "do not fit"),
    "storage of negative length": (storage("storage", torch.HalfStorage, "0", "cpu", -1), "refers"),
    "storage of endless length": (
        storage("storage", torch.HalfStorage, "0", "cpu", 2**80), "refers"
    ),
    "storage without a type": (storage("storage", "0", "cpu", 8), "refers"),
    "storage of a class": (storage("storage", torch.nn.Module, "0", "cpu", 8), "refers"),
    "something else stored": (storage("module", torch.HalfStorage, "0", "cpu", 8), "refers"),
    "a path as a storage": (dump(Stored(id="../../etc/passwd")), "refers"),
    "numpy objects": (
        dump(Call(torch.Size, [10**30])), "do not fit"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RAW)
def test_a_pickle_no_checkpoint_needs_is_refused(tmp_path: Path, name: str) -> None:
    pickled, expected = RAW[name]
    assert expected in _refused(tmp_path, pickled, {"0": bytes(16)})


def test_deep_nesting_is_only_data(tmp_path: Path) -> None:
    nested = b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"."
    assert open_torch_archive(write_zip(tmp_path / "deep.pt", nested)).root


def test_memory_is_bounded_whatever_the_memo_says(tmp_path: Path) -> None:
    pickled = b"\x80\x02}r" + struct.pack("<I", 2**32 - 1) + b"."
    assert open_torch_archive(write_zip(tmp_path / "memo.pt", pickled)).root == {}


def test_copying_a_value_over_and_over_is_refused(tmp_path: Path) -> None:
    names = b"](" + b"NN\x86" * 50_000 + b"eq\x01"
    copy = b"ccollections\nOrderedDict\nh\x01\x85R0"
    assert "over and over" in _refused(tmp_path, b"\x80\x02" + names + copy * 3_000 + b".")


def test_an_endless_pickle_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yolor_gp.interop.restricted_pickle.MAX_OPERATIONS", 1000)
    assert "1000 operations" in _refused(tmp_path, b"\x80\x02" + b"N0" * 1000 + b"N.")


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bomb.pt"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", dump({}) + bytes(10_000_000))
    with pytest.raises(UserError, match="compressed"):
        open_torch_archive(file)


def test_tensors_may_not_share_numbers_without_end(tmp_path: Path) -> None:
    pickled = tensor((2**16,), storage=Stored(id=("storage", torch.HalfStorage, "0", "cpu", 2**16)))
    archive = open_torch_archive(write_zip(tmp_path / "a.pt", pickled, {"0": bytes(2**17)}))
    assert archive.tensors({"a": archive.root})["a"].shape == (2**16,)
    with pytest.raises(UserError, match="share the same numbers"):
        archive.tensors({str(index): archive.root for index in range(100)})


@pytest.mark.parametrize(
    "content",
    [b"", b"\x80", b"PK\x03\x04", b"PK\x03\x04" + bytes(1000), b"{}", bytes(1000), b"\x80\x02}."],
)
def test_what_is_no_checkpoint_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.pt"
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"x\.pt: "):
        open_torch_archive(file)


@pytest.mark.parametrize("name", ["missing.pt", "."])
def test_what_is_no_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"no such file|expected a checkpoint file"):
        open_torch_archive(tmp_path / name)
