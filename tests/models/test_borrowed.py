"""Backbones of torchvision and timm as layers of a model file."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
import torchvision
from torch import Tensor, nn

import yolor_gp
from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.errors import UserError
from yolor_gp.models.blocks.borrowed import TimmBackbone, TorchvisionBackbone, load_pretrained
from yolor_gp.models.builder import build_network
from yolor_gp.models.network import DetectionNetwork

MODEL = """
nc: 2
anchors: [[10,13, 16,30], [30,61, 62,45]]
backbone:
  - {block: TorchvisionBackbone, network: shufflenet_v2_x0_5, stride: 8, name: c3PRETRAINED}
  - {block: TorchvisionBackbone, network: shufflenet_v2_x0_5, after: 8, stride: 16, \
     name: c4PRETRAINED}
head:
  - {block: Conv, out_channels: 16, kernel: 1, from: c3, name: p3}
  - {block: Conv, out_channels: 16, kernel: 1, from: c4, name: p4}
  - {block: AnchorHead, from: [p3, p4], num_classes: nc, anchors: anchors}
"""


def built(pretrained: str | Path = "") -> DetectionNetwork:
    words = f", pretrained: {pretrained}" if pretrained else ""
    spec = ModelSpec.from_text(MODEL.replace("PRETRAINED", words), "borrowed.yaml")
    network = build_network(spec)
    assert isinstance(network, DetectionNetwork)
    return network


def maps_of(classifier: nn.Module, images: Tensor) -> Tensor:
    """What the classifier's own code gives to its pooling."""
    given: list[Tensor] = []
    pooling = classifier.get_submodule("avgpool")
    pooling.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0]))
    classifier(images)
    return given[0]


@pytest.mark.parametrize(
    ("name", "strides"),
    [("resnet18", (4, 8, 16, 32)), ("mobilenet_v3_small", (16, 32)), ("regnet_y_400mf", (8, 32))],
)
def test_the_parts_are_the_whole(name: str, strides: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    classifier = torchvision.models.get_model(name, weights=None).eval()
    images = torch.rand(2, 3, 64, 96)
    x, after, before = images, 1, 3
    for stride in strides:
        part = TorchvisionBackbone(before, name, stride, after).eval()
        state = classifier.state_dict()
        for step_name, step in zip(part.step_names, part.steps, strict=True):
            prefix = f"{step_name}."
            step.load_state_dict(
                {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
            )
        x, after, before = part(x), stride, part.out_channels
        assert x.shape == (2, part.out_channels, 64 // stride, 96 // stride)
    first = TorchvisionBackbone(3, name, strides[0])
    torch.testing.assert_close(x, maps_of(classifier, (images - first.mean) / first.std))


def test_a_model_file_names_them() -> None:
    network = built()
    assert network.strides == (8, 16) and network.max_stride == 16
    raw = network(torch.rand(1, 3, 64, 64))
    assert [level.logits.shape[2:4] for level in raw.levels] == [(8, 8), (4, 4)]
    sum(level.logits.sum() for level in raw.levels).backward()
    assert all(p.grad is not None for p in network.parameters())


def test_weights_of_a_file(tmp_path: Path) -> None:
    torch.manual_seed(1)
    state = torchvision.models.get_model("shufflenet_v2_x0_5", weights=None).state_dict()
    file = tmp_path / "shufflenet.safetensors"
    safetensors.torch.save_file(state, file)
    network = built(file)
    assert load_pretrained(network) == (f"shufflenet_v2_x0_5 of {file}",)
    assert torch.equal(network.state_dict()["layers.0.steps.0.0.weight"], state["conv1.0.weight"])
    torch.save(state, tmp_path / "shufflenet.pth")
    again = built(tmp_path / "shufflenet.pth")
    load_pretrained(again)
    assert torch.equal(
        again.state_dict()["layers.1.steps.0.0.branch1.0.weight"],
        network.state_dict()["layers.1.steps.0.0.branch1.0.weight"],
    )
    del state["conv1.0.weight"]
    safetensors.torch.save_file(state, file)
    with pytest.raises(UserError, match=r"does not fit shufflenet_v2_x0_5: .* Missing key"):
        load_pretrained(built(file))
    file.write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be read as weights"):
        load_pretrained(built(file))
    assert load_pretrained(built()) == ()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("network: resnet19, stride: 8", "unknown network 'resnet19'; did you mean 'resnet18'?"),
        ("network: resnet18, stride: 12", "resnet18 has maps of stride 2, 4, 8, 16, 32"),
        ("network: resnet18, stride: 8, after: 16", "resnet18 has maps of stride 2, 4, 8, 16, 32"),
        ("network: vit_b_16, stride: 8", "vit_b_16 does not run its parts one after the other"),
        ("network: swin_t, stride: 8", "swin_t does not run its parts one after the other"),
        ("network: resnet18, stride: 8, pretrained: 3", "'pretrained' should be a valid"),
    ],
)
def test_what_cannot_be_is_said(words: str, message: str) -> None:
    text = MODEL.replace("network: shufflenet_v2_x0_5, stride: 8", words).replace("PRETRAINED", "")
    with pytest.raises(UserError, match=r"borrowed\.yaml:5: layer 0") as caught:
        build_network(ModelSpec.from_text(text, "borrowed.yaml"))
    assert message in caught.value.problems[0]


def test_a_saved_model_asks_for_no_download(tmp_path: Path) -> None:
    """Only where weights begin are they asked for: what was trained brings its own."""
    file = tmp_path / "borrowed.yaml"
    weights = tmp_path / "shufflenet.pth"
    torch.save(
        torchvision.models.get_model("shufflenet_v2_x0_5", weights=None).state_dict(), weights
    )
    file.write_text(MODEL.replace("PRETRAINED", f", pretrained: {weights}"))
    model = yolor_gp.load(file, device="cpu")
    model.save(tmp_path / "own.safetensors")
    weights.unlink()
    again = yolor_gp.load(tmp_path / "own.safetensors", device="cpu")
    for name, tensor in model.network.state_dict().items():
        assert torch.equal(again.network.state_dict()[name], tensor)
    with pytest.raises(UserError, match="cannot be read as weights"):
        yolor_gp.load(file, device="cpu")


def test_networks_of_timm() -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed")
    torch.manual_seed(0)
    whole = timm.create_model("darknet53", features_only=True, pretrained=False).eval()
    x, after, before, images = torch.rand(1, 3, 64, 64), 1, 3, None
    for stride in (8, 16, 32):
        part = TimmBackbone(before, "darknet53", stride, after).eval()
        for name, step in zip(part.step_names, part.steps, strict=True):
            step.load_state_dict(whole.get_submodule(name).state_dict())
        images = (x - part.mean) / part.std if images is None else images
        x, after, before = part(x), stride, part.out_channels
    torch.testing.assert_close(x, whole(images)[-1])


def test_without_timm_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(ValueError, match=r"needs timm: pip install 'yolor_gp\[timm\]'"):
        TimmBackbone(3, "resnet18", 8)
