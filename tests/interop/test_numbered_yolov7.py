"""Files of numbered layers: the same function as the network they are of, and into ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.interop.numbered_network import NumberedYolov7
from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.detection.networks import load_network, transfer
from yolor_gp.errors import UserError
from yolor_gp.models.builder import build_network
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.weights import read_weights

CLASSES, WIDTH = 2, 0.25
State = dict[str, Tensor]


@pytest.fixture(scope="module")
def theirs() -> NumberedYolov7:
    torch.manual_seed(0)
    network = NumberedYolov7(CLASSES, WIDTH)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.3, 0.3)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 2.0)  # type: ignore[arg-type]
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.3)
    return network.eval()


def _state(network: NumberedYolov7) -> State:
    return dict(network.layers.state_dict())


def test_the_layout_is_the_published_one() -> None:
    with torch.device("meta"):
        state = _state(NumberedYolov7(80, 1.0))
    assert len(state) == 564  # as LibreYOLO counts in the published file
    assert state["105.heads.2.implicit_m.implicit"].shape == (1, 255, 1, 1)
    assert state["51.post_conv.0.conv.weight"].shape == (512, 2048, 1, 1)


def test_it_computes_what_it_did(theirs: NumberedYolov7, tmp_path: Path) -> None:
    state = {f"layers.{name}": value for name, value in _state(theirs).items()}
    torch.save({"model": state, "names": {0: "cell", 1: "platelet"}}, tmp_path / "libre.pt")
    network = load_network(tmp_path / "libre.pt")
    assert network.names == ("cell", "platelet") and not network.has_masks
    image = torch.rand(1, 3, 128, 64)
    with torch.no_grad():
        expected, found = theirs(image), network(image).levels
    for level, raw in zip(found, expected, strict=True):
        same = raw.unflatten(1, (3, 5 + CLASSES)).permute(0, 1, 3, 4, 2)
        torch.testing.assert_close(level.logits, same, rtol=1e-4, atol=1e-4)
        assert raw.std() > 0.01  # it depends on the image


def test_it_fills_our_network_with_masks(theirs: NumberedYolov7, tmp_path: Path) -> None:
    torch.save(_state(theirs), tmp_path / "v7.pt")
    text = f"extends: yolor-elan\nnc: {CLASSES}\nwidth_multiple: {WIDTH}\n"
    network = build_network(ModelSpec.from_text(text, "own.yaml"), names=("0", "1"))
    assert isinstance(network, DetectionNetwork) and network.has_masks
    report = transfer(network, read_weights(tmp_path / "v7.pt"))
    assert not report.left_out
    assert all(name.startswith("head.mask_head.") for name in report.fresh)
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected, found = theirs(image), network.eval()(image).levels
    for level, raw in zip(found, expected, strict=True):
        same = raw.unflatten(1, (3, 5 + CLASSES)).permute(0, 1, 3, 4, 2)
        torch.testing.assert_close(level.logits[..., : 5 + CLASSES], same, rtol=1e-4, atol=1e-4)


def _without(prefix: str) -> Callable[[State], State]:
    return lambda state: {k: v for k, v in state.items() if not k.startswith(prefix)}


def _with(name: str, value: Tensor) -> Callable[[State], State]:
    return lambda state: state | {name: value}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_without("7."), "layer 11: shape [64, 64, 1, 1], expected [16, 16, 3, 3] for layers.4."),
        (_without("51.merge_conv.bn.weight"), "layer 51: layers.11.join.norm.weight of yolor-elan"),
        (_without("104."), "layer 105: layers.30.conv.weight of yolor-elan is missing"),
        (_without("104.conv2.bn.bias"), "layer 104: its two convolutions do not fit"),
        (_with("2.bn.bias", torch.full((16,), torch.nan)), "layer 2: numbers that are none"),
        (_with("105.heads.0.head_conv.weight", torch.ones(22, 1)), "are not YOLOv7's"),
        (_with("104.conv1.conv.bias", torch.ones(1)), "layers.30.conv1.conv.bias of yolor-elan"),
    ],
)  # fmt: skip
def test_damaged_files_are_refused(
    theirs: NumberedYolov7,
    tmp_path: Path,
    change: Callable[[State], State],
    expected: str,
) -> None:
    torch.save(change(_state(theirs)), tmp_path / "v7.pt")
    with pytest.raises(UserError) as error:
        read_weights(tmp_path / "v7.pt")
    assert expected in str(error.value)
