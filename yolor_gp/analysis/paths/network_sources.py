"""Networks to analyse, by what a user types: a model file, a shipped name, or torchvision's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from yolor_gp.config.model_spec import ModelSpec, load_model_spec
from yolor_gp.config.suggest import did_you_mean
from yolor_gp.errors import UserError
from yolor_gp.models.builder import build_network
from yolor_gp.models.network import DetectionNetwork

# A fixed list: a name typed by a user never becomes an import.
_NAMES = (
    "alexnet vgg11 vgg16 vgg19 resnet18 resnet34 resnet50 resnet101 resnet152 resnext50_32x4d"
    " wide_resnet50_2 densenet121 densenet169 densenet201 mobilenet_v2 mobilenet_v3_small"
    " mobilenet_v3_large shufflenet_v2_x1_0 squeezenet1_0 efficientnet_b0 mnasnet1_0"
)
_TORCHVISION = _NAMES.split()
_PREFIX = "torchvision:"
# Shapes are all that counts; 256 is a multiple of every stride, and small.
_IMAGE_SIDE = 256


@dataclass(frozen=True)
class NetworkSource:
    """A network on the meta device in training mode, an input for it, and the method to trace."""

    name: str
    network: nn.Module
    example: Tensor
    entry: str


def open_network(text: str) -> NetworkSource:
    """The network named by `text`: `yolor-csp.yaml`, `yolor-csp` or `torchvision:resnet50`.

    Raises:
        UserError: When the file cannot be built, or the name is not known.
    """
    if text.startswith(_PREFIX):
        name = text.removeprefix(_PREFIX)
        if name not in _TORCHVISION:
            raise UserError(
                f"{text}: not one of the torchvision networks that can be analysed"
                f"{did_you_mean(name, _TORCHVISION)} (known: {', '.join(_TORCHVISION)})"
            )
        return _of_torchvision(name)
    return network_of_spec(load_model_spec(text), Path(text).stem)


def _of_torchvision(name: str) -> NetworkSource:
    import torchvision

    with torch.device("meta"):
        network = torchvision.models.get_model(name, weights=None)
        return NetworkSource(name, network, _example(), "forward")


def network_of_spec(spec: ModelSpec, name: str) -> NetworkSource:
    """The network of a model file.

    Raises:
        UserError: When it cannot be built.
    """
    network = build_network(spec, device="meta")
    entry = "forward_levels" if isinstance(network, DetectionNetwork) else "forward"
    return NetworkSource(name, network, _example(), entry)


def _example() -> Tensor:
    return torch.empty(2, 3, _IMAGE_SIDE, _IMAGE_SIDE, device="meta")
