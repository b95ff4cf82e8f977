"""`import_weights IN OUT` converts between the formats."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from yolor_gp.commands.import_weights import main
from yolor_gp.detection.networks import load_network
from yolor_gp.errors import UserError
from yolor_gp.interop.official_checkpoints import import_official


@pytest.mark.coco
def test_an_official_checkpoint_becomes_our_own(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = shared / "golden" / "ckpt_yolov7seg_w0125.pt"
    _, weights, names = import_official(source)
    for suffix in (".pt", ".safetensors"):
        target = tmp_path / f"own{suffix}"
        assert main([str(source), str(target)]) == 0
        assert "boxes and masks, 80 classes" in capsys.readouterr().out
        network = load_network(target)
        assert network.names == names
        assert all(torch.equal(network.state_dict()[name], weights[name]) for name in weights)


@pytest.mark.coco
def test_own_weights_convert_too(shared: Path, tmp_path: Path) -> None:
    first, second, third = (tmp_path / n for n in ("a.safetensors", "b.pt", "c.safetensors"))
    main([str(shared / "golden" / "ckpt_yolorcsp_w0125.pt"), str(first)])
    main([str(first), str(second)])
    main([str(second), str(third)])
    assert first.read_bytes() == third.read_bytes()


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("missing.pt", "x.pt", "missing.pt"),
        ("junk.pt", "x.pt", "junk.pt"),
        ("junk.pt", "x.onnx", "must end in"),
        ("junk.pt", "junk.pt", "same file"),
    ],
)
def test_what_cannot_be_converted_is_named(
    tmp_path: Path, source: str, target: str, message: str
) -> None:
    (tmp_path / "junk.pt").write_bytes(b"junk")
    with pytest.raises(UserError, match=message):
        main([str(tmp_path / source), str(tmp_path / target)])
