"""Programs for small devices; where ExecuTorch is installed they run here as well."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import yolor_gp
from yolor_gp.commands.export_model import main
from yolor_gp.errors import UserError
from yolor_gp.export.executorch import _behind_convolutions
from yolor_gp.export.exported import open_exported
from yolor_gp.export.graph import ExportGraph

SIZE = 64
TINY = Path(__file__).resolve().parents[1] / "tiny.yaml"


class Branches(nn.Module):
    """A convolution, one behind it, and a way around that one."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)

    def forward(self, images: Tensor) -> Tensor:
        """f32[B, 3, H, W] -> f32[B, 4, H, W]."""
        found = torch.relu(self.first(images))
        return torch.sigmoid(self.last(found)) + found


def test_the_last_convolutions_and_what_follows_stay_as_they_are() -> None:
    program = torch.export.export(Branches(), (torch.rand(1, 3, 4, 4),))
    left_out = _behind_convolutions(program.graph)
    kinds = {
        str(node.target): node.name in left_out
        for node in program.graph.nodes
        if node.op == "call_function"
    }
    assert kinds == {
        "aten.conv2d.default": True,  # the second one, which overwrites the first
        "aten.relu.default": False,
        "aten.sigmoid.default": True,
        "aten.add.Tensor": True,
    }
    convolutions = [node for node in program.graph.nodes if "conv2d" in node.name]
    assert [node.name in left_out for node in convolutions] == [False, True]


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "executorch", None)
    monkeypatch.setitem(sys.modules, "executorch.runtime", None)
    words = [str(TINY), "--format", "executorch", "--img", str(SIZE)]
    with pytest.raises(UserError, match=r"the package executorch\S* is missing; pip install"):
        main([*words, "--out", str(tmp_path / "a.pte")])
    assert not (tmp_path / "a.pte").exists()


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_executorch(precision: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("executorch", reason="executorch is not installed")
    torch.manual_seed(0)
    original = yolor_gp.load(TINY, device="cpu", precision="float32", classes=list("abcdefg"))
    weights = original.save(tmp_path / "w.pt")
    words = ["--format", "executorch", "--img", "96x64", "--batch-size", "2"]
    words += ["--out", str(tmp_path / "a.pte"), "--precision", precision]
    words += ["--data", "shapes-128", "--bound", "1"] if precision == "int8" else []
    assert main([str(weights), *words]) == 0
    assert "batches of 2 at 96x64 px only" in capfd.readouterr().out
    exported = open_exported(tmp_path / "a.pte")
    images = torch.rand(3, 3, 64, 96, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = ExportGraph(original.network)(images)
    close = 1e-3 if precision == "float32" else 0.1
    for first, second in zip(expected[1:], exported(images)[1:], strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=close)
    assert yolor_gp.load(tmp_path / "a.pte", device="cpu").names == tuple("abcdefg")
    (tmp_path / "bad.pte").write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be opened by ExecuTorch"):
        open_exported(tmp_path / "bad.pte")
