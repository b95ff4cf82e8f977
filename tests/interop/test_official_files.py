"""The field's model files run as they are, with the field's numbers of parameters."""

from __future__ import annotations

import pytest
import torch

from tests.interop.official_files import (
    yolor_csp,
    yolov3,
    yolov5,
    yolov7,
    yolov7_tiny,
)
from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.errors import UserError
from yolor_gp.models.builder import build_network
from yolor_gp.models.fuse import fuse
from yolor_gp.models.network import DetectionNetwork

# As the field's programs print them: in training, and folded for deployment.
PARAMETERS = {
    "yolov5n": (yolov5("n"), 1_872_157, 1_867_405),
    "yolov5s": (yolov5("s"), 7_235_389, 7_225_885),
    "yolov5m": (yolov5("m"), 21_190_557, 21_172_173),
    "yolov5l": (yolov5("l"), 46_563_709, 46_533_693),
    "yolov5x": (yolov5("x"), 86_749_405, 86_705_005),
    "yolov7": (yolov7(), 37_622_682, 36_905_341),
    "yolov7 deploy": (yolov7(decoder="Detect"), 37_620_125, 36_905_341),
    "yolov7-tiny": (yolov7_tiny(), None, 6_219_709),
    "yolov3": (yolov3(spp=False), 61_949_149, None),
    "yolov3-spp": (yolov3(spp=True), 62_998_749, None),
}
# In millions, as published tables round them.
MILLIONS = {
    "yolov5l-seg": (yolov5("l", segment=True), 47.894, 3),
    "yolov5x-seg": (yolov5("x", segment=True), 88.774, 3),
    "yolor-csp": (yolor_csp(), 52.9, 1),
    "yolor-csp-x": (yolor_csp(1.33, 1.25), 96.9, 1),
    "yolov4-csp": (yolor_csp(decoder="Detect"), 52.9, 1),
}


def _build(text: str, device: str = "meta") -> DetectionNetwork:
    network = build_network(ModelSpec.from_text(text, "field.yaml"), device=device)
    assert isinstance(network, DetectionNetwork)
    return network


def _parameters(network: DetectionNetwork) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_the_published_ones(name: str) -> None:
    text, in_training, folded = PARAMETERS[name]
    network = _build(text)
    assert in_training in (None, _parameters(network))
    assert folded in (None, _parameters(fuse(network)))


@pytest.mark.parametrize("name", MILLIONS)
def test_parameters_round_to_the_published_ones(name: str) -> None:
    text, millions, digits = MILLIONS[name]
    assert round(_parameters(fuse(_build(text))) / 1e6, digits) == millions


@pytest.mark.parametrize("size", ["n", "x"])
def test_segment_files_give_masks(size: str) -> None:
    network = _build(yolov5(size, segment=True))
    assert network.has_masks and network.strides == (8, 16, 32)


@torch.no_grad()
def _randomised(network: DetectionNetwork) -> DetectionNetwork:
    """Statistics and implicit values far from those of a fresh network."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        for name, tensor in [
            *module.named_parameters(recurse=False),
            *module.named_buffers(recurse=False),
        ]:
            if isinstance(module, torch.nn.BatchNorm2d) and tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5, generator=generator)
            elif name == "value":
                tensor.uniform_(-2, 2, generator=generator)
    return network.eval()


def test_rep_conv_and_implicit_layers_fold_with_equal_outputs() -> None:
    network = _randomised(_build(yolov7(width=0.0625, decoder="ISegment"), "cpu"))
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = network(images)
        found = fuse(network)(images)
    for level, other in zip(expected.levels, found.levels, strict=True):
        assert (level.logits - other.logits).abs().max() < 1e-4 * level.logits.abs().max()
    assert torch.allclose(expected.prototypes, found.prototypes, rtol=1e-4, atol=1e-5)
    kinds = {type(module).__name__ for module in network.modules()}
    assert not kinds & {"BatchNorm2d", "ImplicitAdd", "ImplicitMultiply"}


SMALL = """
nc: 3
anchors: [[10,13, 16,30], [30,61, 62,45]]
backbone:
  - [-1, 1, Focus, [16, 3]]
  - [-1, 1, ReOrg, []]
  - [-1, 1, DWConv, [32, 3, 1]]
  - [-1, 2, BottleneckCSP, [32]]
  - [-1, 1, DWConv, [32, 3, 2, nn.Mish()]]
  - [[-1, 4], 1, Shortcut, [0]]
head:
  - [-1, 1, ImplicitA, [32]]
  - [-1, 1, ImplicitM, [32]]
  - [-1, 1, SP, [3, 2]]
  - [-1, 2, BottleneckCSPA, [24, False]]
  - [[7, 9], 1, Detect, [nc, anchors]]
"""


def test_the_remaining_modules_run() -> None:
    network = _build(SMALL, "cpu").eval()
    raw = network(torch.rand(1, 3, 64, 64))
    assert network.strides == (8, 16)
    assert [tuple(level.logits.shape) for level in raw.levels] == [(1, 2, 8, 8, 8), (1, 2, 4, 4, 8)]


def test_focus_and_reorg_order_channels_as_the_field_does() -> None:
    network = _build(SMALL, "cpu")
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    reorganised = network.layers[1](x)
    assert reorganised[0, :, 0, 0].tolist() == [0, 4, 1, 5]  # rows first, then columns


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[-1, 1, Conv, [16, 3, 2, None, 1, nn.Foo()]]", "'activation'"),
        ("[-1, 1, Conv, [16, 3, 2, None, 1, __import__('os').system('true')]]", "'activation'"),
        ("[-1, 1, Conv, [16, 3, 2, 1000000000000000000000000000000]]", "'padding'"),
        ("[-1, 1, BottleneckCSPB, [16, False, 2]]", "groups"),
        ("[[-1, -1], 1, Shortcut, [7]]", "'dimension'"),
        ("[-1, 1, ImplicitA, [77]]", "not 77"),
        ("[-1, 1, Bottlenek, [16]]", "did you mean 'Bottleneck'"),
    ],
)
def test_what_the_field_would_evaluate_is_refused(line: str, message: str) -> None:
    text = (
        f"nc: 1\nanchors: [[1,2]]\nbackbone:\n - {line}\nhead:\n - [-1, 1, Detect, [nc, anchors]]"
    )
    with pytest.raises(UserError) as caught:
        _build(text)
    assert message in str(caught.value)
