"""The networks of "Go with the Flow": counted, and held to torchvision's where it has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models import DenseNet, resnet34, vgg16

from tests.models.test_paper_rows import changed_words
from yolor_gp.classification.networks import check_input
from yolor_gp.config.model_spec import ModelSpec, load_model_spec
from yolor_gp.config.shipped import shipped_files
from yolor_gp.errors import UserError
from yolor_gp.models.blocks.pathways import Pathway
from yolor_gp.models.blocks.residual import BasicBlock, MaskedAdd
from yolor_gp.models.builder import build_network
from yolor_gp.models.network import ClassifierNetwork

# Of the MPNets, whose blocks are the same, one runs by default.
FLOW = [
    pytest.param(file.stem, marks=pytest.mark.slow if file.stem.startswith("mpnet-") else ())
    for file in shipped_files("flow")
]
CLASSIFIERS = [*FLOW, *(file.stem for file in shipped_files("imagenet"))]


def built(name: str, device: str = "meta") -> Any:
    return build_network(load_model_spec(name), device=device)


def narrow(name: str) -> Any:
    text = load_model_spec(name).resolved_yaml.replace(
        "width_multiple: 1.0", "width_multiple: 0.125"
    )
    return build_network(ModelSpec.from_text(text, f"narrow-{name}.yaml"))


def normalised(network: nn.Module) -> list[Any]:
    return [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("resnet34", lambda: resnet34(num_classes=10)),
        ("densenet18", lambda: DenseNet(32, (2, 2, 2, 2), 64, num_classes=10)),
    ],
)
def test_torchvision_computes_the_same(name: str, original: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    ours, theirs = built(name, "cpu").eval(), original().eval()
    pairs = zip(normalised(ours)[:-1], normalised(theirs), strict=True)
    for mine, other in pairs:
        if isinstance(mine, nn.BatchNorm2d):
            mine.eps = other.eps
        mine.load_state_dict(other.state_dict())
    linear: Any = [m for m in theirs.modules() if isinstance(m, nn.Linear)][-1]
    with torch.no_grad():
        ours.head.conv.weight.copy_(linear.weight[:, :, None, None])
        ours.head.conv.bias.copy_(linear.bias)
        images = torch.rand(2, 3, 64, 64)
        assert torch.allclose(ours(images), theirs(images), atol=1e-4)


def test_vgg16_has_its_thirteen_convolutions() -> None:
    shapes = [m.weight.shape for m in built("vgg16").modules() if isinstance(m, nn.Conv2d)]
    with torch.device("meta"):
        theirs = [m.weight.shape for m in vgg16().features if isinstance(m, nn.Conv2d)]
    assert shapes[:13] == theirs and len(shapes) == 16


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_takes_small_and_large_images(name: str) -> None:
    network = built(name).eval()
    for size in (32, 250):
        logits = network(torch.empty(2, 3, size, size, device="meta"))
        assert logits.shape == (2, network.num_classes)


def test_sizes_that_do_not_do_are_told() -> None:
    with pytest.raises(UserError, match="--img 16: vgg16 cannot take images of that size"):
        check_input(built("vgg16"), 16)


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("mpnet", {1: 3, 4: 7}),
        ("mpnet-2x3-2x7", {2: [3, 7]}),
        ("mpnet-1x3-2x7", {1: 3, 2: 7}),
        ("mpnet-8x3-1x21", {8: 3, 1: 21}),
        ("mpnet-8x3-8x3", {8: [3, 3]}),
    ],
)
def test_mpnets_are_their_pathways(name: str, paths: dict[int, Any]) -> None:
    wanted = sorted(
        (number, kernel)
        for number, kernels in paths.items()
        for kernel in (kernels if isinstance(kernels, list) else [kernels])
    )
    joined: list[Any] = [m for m in built(name).modules() if isinstance(m, Pathway)]
    assert len(joined) == 4
    for stage, (pathway, width) in enumerate(zip(joined, (64, 128, 256, 512), strict=True)):
        found = [(len(path), path[0].conv.kernel_size[0]) for path in pathway.paths]
        assert sorted(found) == wanted, stage
        for path in pathway.paths:
            convolutions = [layer.conv for layer in path]
            assert [c.stride[0] for c in convolutions] == [2] + [1] * (len(path) - 1)
            assert {c.out_channels for c in convolutions} == {width}
    layers = zip(load_model_spec(name).layers, load_model_spec("mpnet").layers, strict=True)
    words = {word for new, old in layers for word in changed_words(new, old)}
    assert words == (set() if name == "mpnet" else {"paths"})


def test_pathways_are_added_up() -> None:
    torch.manual_seed(0)
    pathway = Pathway(4, 6, ((1, 3), (2, 5)), 2, "relu").eval()
    x = torch.randn(2, 4, 9, 9)
    short, long = list(pathway.paths)
    assert torch.equal(pathway(x), (short(x) + long(x)).relu())
    assert pathway(x).shape == (2, 6, 5, 5)


def test_a_deeper_mpnet_is_one_word() -> None:
    text = "extends: mpnet\nreplace:\n  MultiPathStage: {depth: 3}\n"
    deeper = build_network(ModelSpec.from_text(text, "deeper.yaml"), device="meta")
    assert len([m for m in deeper.modules() if isinstance(m, Pathway)]) == 12


def test_the_skip_goes_around_128_layers() -> None:
    network = narrow("skip-mlp").eval()
    inner = network.layers[2]
    assert len(inner) == 128 and all(layer.conv.kernel_size == (1, 1) for layer in inner)
    images = torch.rand(2, 3, 32, 32)
    nn.init.zeros_(inner[-1].norm.weight)
    nn.init.zeros_(inner[-1].norm.bias)
    around = network.head(network.layers[4](network.layers[1](network.layers[0](images))))
    assert torch.allclose(network(images), around)
    flat = network.layers[0](images)
    assert torch.equal(flat.flatten(1), images.flatten(1)), "no pixel is lost at 32 px"


def test_forms_of_resnet() -> None:
    plain, masked = built("resnet34"), built("resnet34-prn")
    units = [m for m in plain.modules() if isinstance(m, BasicBlock)]
    assert len(units) == 16 and {unit.add.added / unit.out_channels for unit in units} == {1.0}
    adds = [m for m in masked.modules() if isinstance(m, MaskedAdd)]
    shares = {add.added / unit.out_channels for add, unit in zip(adds, units, strict=True)}
    assert shares == {0.5}
    crossed = built("resnet34-csp")
    assert [len(m.blocks) for m in crossed.layers if hasattr(m, "bypass")] == [3, 3, 5, 2]
    assert all(isinstance(b, BasicBlock) for m in crossed.layers if hasattr(m, "bypass")
               for b in m.blocks)  # fmt: skip


@pytest.mark.parametrize("name", FLOW)
def test_every_layer_learns(name: str) -> None:
    network: ClassifierNetwork = narrow(name).train()
    network(torch.rand(4, 3, 32, 32)).square().sum().backward()
    without = [
        n for n, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()
    ]
    assert not without
