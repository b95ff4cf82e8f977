"""Receptive fields, against the gradient of a network whose weights are all 1."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from yolor_gp.analysis.flow.fields import Channels, Field, Fields, beside, over
from yolor_gp.analysis.flow.receptive_field import border, in_words, receptive_fields
from yolor_gp.analysis.paths.network_sources import NetworkSource, network_of_spec, open_network
from yolor_gp.commands.summarize_model import main
from yolor_gp.config.model_spec import ModelSpec, load_model_spec
from yolor_gp.config.shipped import shipped_files
from yolor_gp.errors import UserError
from yolor_gp.models.builder import build_network
from yolor_gp.models.network import DetectionNetwork


def by_gradients(
    network: nn.Module, entry: str, height: int, width: int, period: int, each: int = 1
) -> dict[str, float]:
    """The largest field that each convolution gives, along the height: what autograd reaches."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d | nn.SiLU | nn.ReLU | nn.LeakyReLU | nn.Sigmoid):
                setattr(module, name, nn.Identity())
            if isinstance(child, nn.MaxPool2d):  # a maximum hands its gradient to one cell only
                pool = nn.AvgPool2d(child.kernel_size, child.stride, child.padding)
                setattr(module, name, pool)
    network.double().eval().requires_grad_(False)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1e-3)
    outputs: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        return lambda module, inputs, output: outputs.__setitem__(name, output)

    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(keep(name))
    images = torch.ones(1, 3, height, width, dtype=torch.float64, requires_grad=True)
    getattr(network, entry)(images)
    found: dict[str, float] = {}
    for name, output in list(outputs.items())[::each]:
        cells = max(period * output.shape[2] // height, 1)
        middle = output.shape[2] // 2
        sizes = []
        for cell in range(middle, middle + cells):
            row = output[0, :, cell].sum()
            gradient = torch.autograd.grad(row, images, retain_graph=True)[0]
            reached = gradient[0].abs().sum((0, 2)).nonzero()[:, 0]
            sizes.append(int(reached[-1] - reached[0]) + 1)
        found[name] = float(max(sizes))
    return found


SHIPPED = [
    file.stem
    for file in shipped_files("model")
    if "stop-gradient" not in file.stem  # autograd does not reach through those
]

BRANCHES = """
nc: 2
anchors: [[10,13], [30,61]]
backbone:
  - {block: Conv, out_channels: 4, kernel: 7, stride: 2}
  - {block: Bottleneck, out_channels: 4, name: a}
  - {block: MaxPool, kernel: 2, stride: 2}
  - {block: Conv, out_channels: 4, kernel: 3, stride: 2}
  - {block: SPP, out_channels: 4, name: b}
  - {block: Upsample, scale: 4}
  - {block: Concat, from: [-1, a]}
  - {block: Conv, out_channels: 4, kernel: 3, stride: 4, name: c}
  - {block: AnchorHead, from: [c, b], num_classes: nc, anchors: anchors, masks: 2}
"""


def test_fields_are_what_gradients_reach() -> None:
    spec = ModelSpec.from_text(BRANCHES, "branches.yaml")
    fields = receptive_fields(network_of_spec(spec, "branches"))
    network = build_network(spec)
    assert isinstance(network, DetectionNetwork)
    reached = by_gradients(network, "forward_levels", 640, 32, 32)
    assert {layer.name: layer.gives for layer in fields} == reached
    assert all(layer.sees_at_least <= layer.sees < layer.gives or layer.sees == layer.gives
               for layer in fields)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_networks(name: str) -> None:
    """Every ninth layer, in an eighth of the width: fields know no widths."""
    spec = load_model_spec(name)
    grouped = 1 if "resnext" in name else 8  # groups must divide the width
    spec = replace(spec, width_multiple=spec.width_multiple / grouped)
    source, height = network_of_spec(spec, name), 3072
    given = {layer.name: min(layer.gives, height) for layer in receptive_fields(source)}
    reached = by_gradients(build_network(spec), source.entry, height, 64, 64, each=9)
    assert {name: given[name] for name in reached} == reached and len(reached) > 1


def test_published_fields_of_vgg16() -> None:
    """3, 5, 10, 14, 24, 32, 40, 60, 76, 92, 132, 164, 196: as counted by hand."""
    layers = receptive_fields(open_network("torchvision:vgg16"))
    expected = [3, 5, 10, 14, 24, 32, 40, 60, 76, 92, 132, 164, 196]
    assert [layer.gives for layer in layers[:13]] == expected
    found = border(layers, 32)
    assert found is not None and found.name == "features.17" and found.sees == 44
    assert [in_words(layer.gives) for layer in layers[13:]] == ["all"] * 3
    assert border(layers, 500) is layers[13]


def test_pathways_of_a_residual_network() -> None:
    layers = {layer.name: layer for layer in receptive_fields(open_network("torchvision:resnet34"))}
    first, second = layers["layer1.0.conv1"], layers["layer1.0.conv2"]
    assert (first.sees, second.sees, second.gives) == (11, 19, 27)
    after = layers["layer1.1.conv1"]  # reads the sum of the block and what went past it
    assert (after.sees, after.sees_at_least) == (27, 11)
    assert after.is_beyond(24) and not after.is_surely_beyond(24)


class _Strange(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.conv = kind, nn.Conv2d(3, 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "control flow":
            return x if x.sum() > 0 else self.conv(x)
        if self.kind == "functional":
            return nn.functional.conv2d(x, self.conv.weight)
        rows = torch.cat([x[..., ::2, ::2], x[..., 1::2, ::2]], 1)
        if self.kind == "shuffled":
            rows = rows.unflatten(1, (2, 3)).transpose(1, 2).reshape(1, 6, 16, 16)
        return self.conv(rows[:, 1:4] if self.kind == "both" else rows[:, :3])


def source_of(kind: str) -> NetworkSource:
    return NetworkSource(kind, _Strange(kind), torch.empty(1, 3, 8, 8), "forward")


@pytest.mark.parametrize(
    ("kind", "sees", "gives"),
    [("even", 1, 5), ("both", 2, 6), ("shuffled", 2, 6)],
)
def test_every_second_pixel_of_some_channels(kind: str, sees: int, gives: int) -> None:
    (layer,) = receptive_fields(source_of(kind))
    assert (layer.sees, layer.gives) == (sees, gives)
    assert by_gradients(_Strange(kind), "forward", 32, 32, 8) == {"conv": gives}


def channels(*runs: tuple[int, int]) -> Channels:
    """Runs of channels whose cells see so many pixels."""
    pixels = np.arange(128.0)
    fields = [(count, Field(pixels, pixels + size - 1)) for count, size in runs]
    return Channels(tuple((count, Fields(field, field)) for count, field in fields))


def seen(found: Channels) -> list[tuple[int, float]]:
    return [(count, fields.union.largest()) for count, fields in found.parts]


def test_channels_keep_what_is_theirs() -> None:
    first, second = channels((2, 3), (4, 5)), channels((3, 1), (3, 7))
    assert first.count == 6 and first.joined().union.largest() == 5
    assert seen(first.between(1, 3)) == [(1, 3), (1, 5)] and seen(first.between(-1, None)) == [
        (1, 5)
    ]
    assert seen(first.between(6, None)) == seen(first)
    assert seen(beside([first, second])) == [(2, 3), (4, 5), (3, 1), (3, 7)]
    assert seen(over([first, second])) == [(2, 3), (1, 5), (3, 7)]
    assert over([first, second]).joined().least.largest() == 1
    assert seen(over([first, channels((1, 9))])) == [(6, 9)] and seen(first.mixed()) == [(6, 5)]


@pytest.mark.parametrize(
    ("kind", "message"),
    [("control flow", "cannot be traced by torch.fx"),
     ("functional", "the operation conv2d cannot be followed")],
)  # fmt: skip
def test_what_cannot_be_followed_is_said(kind: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        receptive_fields(source_of(kind))


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["torchvision:vgg16", "--receptive-field", "--size", "32"]) == 0
    text = capsys.readouterr().out
    assert "features.17" in text and "border layer at 32 px: features.17" in text
    assert main(["yolor-elan-n", "--receptive-field"]) == 0
    assert "at 640 px" in capsys.readouterr().out
