"""Networks built from model files: what they return, and in which order layers run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, fx, nn

from yolor_gp.config.model_spec import ModelSpec, load_model_spec
from yolor_gp.models.builder import build_network
from yolor_gp.models.network import ClassifierNetwork, DetectionNetwork

TINY = """nc: 2
width_multiple: 0.5
depth_multiple: 0.5
anchors: [[1,2, 3,4], [5,6, 7,8]]
backbone:
  - [-1, 1, Conv, [16, 3, 8]]
  - {block: Bottleneck, out_channels: 20, repeats: 4, name: fine}
  - [-1, 3, CSPStage, [16]]
  - {block: Conv, out_channels: 16, stride: 2, kernel: 3}
  - {block: MaxPool, from: fine}
  - {block: Concat, from: [-1, -2]}
head:
  - {block: AnchorHead, from: [fine, -1], num_classes: nc, anchors: anchors, masks: 4}
"""


def tiny(text: str = TINY) -> DetectionNetwork:
    torch.manual_seed(0)
    network = build_network(ModelSpec.from_text(text, "tiny.yaml"))
    assert isinstance(network, DetectionNetwork)
    return network


def test_what_a_detector_says_of_itself() -> None:
    network = tiny()
    assert (network.num_classes, network.strides, network.max_stride) == (2, (8, 16), 16)
    assert network.has_masks
    assert network.names == ("class 0", "class 1")
    assert network.head.anchors.tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert network.training


def test_multiples_scale_widths_and_repeats() -> None:
    network = tiny()
    blocks = network.layers[1]
    assert isinstance(blocks, nn.Sequential)
    assert len(blocks) == 2  # 4 * 0.5
    assert blocks[1].out_channels == 16  # 20 * 0.5, rounded up to a multiple of 8
    assert len(network.layers[2].blocks) == 2  # type: ignore[arg-type]  # round(1.5), to even
    assert network.layers[5].out_channels == 24


def test_forward_returns_raw_predictions() -> None:
    raw = tiny()(torch.rand(3, 3, 64, 32))
    shapes = [tuple(level.logits.shape) for level in raw.levels]
    assert shapes == [(3, 2, 8, 4, 11), (3, 2, 4, 2, 11)]
    assert [level.stride for level in raw.levels] == [8, 16]
    assert raw.prototypes is not None
    assert raw.prototypes.shape == (3, 4, 16, 8)
    assert raw.levels[1].anchors.tolist() == [[5, 6], [7, 8]]


def test_boxes_only() -> None:
    network = tiny(TINY.replace(", masks: 4", ""))
    assert not network.has_masks
    assert network(torch.rand(1, 3, 32, 32)).prototypes is None


def test_features_are_what_the_layers_give_by_hand() -> None:
    network = tiny().eval()
    images = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        fine = network.layers[1](network.layers[0](images))
        down = network.layers[3](network.layers[2](fine))
        coarse = torch.cat([network.layers[4](fine), down], 1)
        features = network.features(images)
    assert torch.equal(features[0], fine)
    assert torch.equal(features[1], coarse)


class Levels(nn.Module):
    """What the analysis traces: a network's plain tensors."""

    def __init__(self, network: DetectionNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> object:
        return self.network.forward_levels(images)


@pytest.mark.parametrize(
    "name",
    [
        "yolor-prn-n",
        "yolor-csp-n",
        "yolor-elan-n",
        "yolor-v3-asymmetric",
        pytest.param("table4-vovnet-elan-csp", marks=pytest.mark.slow),
    ],
)
def test_torch_fx_traces_the_network(name: str) -> None:
    network = build_network(load_model_spec(name), device="meta").eval()
    assert isinstance(network, DetectionNetwork)
    images = torch.empty(1, 3, 64, 64, device="meta")
    traced_logits, traced_prototypes = fx.symbolic_trace(Levels(network))(images)
    logits, prototypes = network.forward_levels(images)
    assert [x.shape for x in traced_logits] == [x.shape for x in logits]
    assert prototypes is not None
    assert traced_prototypes.shape == prototypes.shape


def test_the_example_of_the_documentation_builds() -> None:
    page = (Path(__file__).parents[2] / "docs" / "model-files.md").read_text()
    example = page.split("```yaml\n")[1].split("```")[0]
    network = build_network(ModelSpec.from_text(example, "model-files.md"), device="meta")
    assert isinstance(network, DetectionNetwork)
    assert (network.strides, network.has_masks) == ((8,), True)


def test_a_classifier_returns_logits() -> None:
    text = "nc: 7\nbackbone: [[-1, 1, Conv, [8, 3, 2]]]\nhead: [[-1, 1, Classifier, [nc]]]"
    network = build_network(ModelSpec.from_text(text, "tiny.yaml"), names=list("abcdefg"))
    assert isinstance(network, ClassifierNetwork)
    assert network(torch.rand(2, 3, 17, 32)).shape == (2, 7)
    assert (network.num_classes, network.names[6]) == (7, "g")


def test_resolved_yaml_rebuilds_the_network_that_takes_the_weights() -> None:
    spec = load_model_spec("yolor-elan-n").with_classes(3)
    network = build_network(spec, device="meta")
    again = build_network(ModelSpec.from_text(spec.resolved_yaml, "again.yaml"), device="meta")
    shapes = [{k: v.shape for k, v in n.state_dict().items()} for n in (network, again)]
    assert shapes[0] == shapes[1]


def test_weights_are_drawn_anew_and_on_the_device_asked_for() -> None:
    spec = ModelSpec.from_text(TINY, "tiny.yaml")
    first, second = build_network(spec), build_network(spec)
    assert not torch.equal(next(first.parameters()), next(second.parameters()))
    assert {p.device.type for p in first.parameters()} == {"cpu"}
    meta = build_network(spec, device="meta")
    assert {p.device.type for p in meta.parameters()} == {"meta"}
