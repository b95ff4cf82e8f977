"""What a network costs: parameters and FLOPs, counted on the meta device, without memory.

Two conventions stand side by side (`gflops` is the one of the paper's tables):
gflops_conv: 2 x multiply-adds of the convolutions, as `torch.utils.flop_counter` gives;
gflops: the same plus 2 for every output element of nearest-neighbour upsampling.
Activations, pooling, concatenation, addition and implicit layers cost nothing in both.
Parameters are those left after folding, as a deployed network has them. Classifiers follow the
convention of Table 2: 256 x 256 pixels, and the weights of the convolutions only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from yolor_gp.config.model_spec import LayerSpec, ModelSpec
from yolor_gp.models.builder import build_network
from yolor_gp.models.fuse import fuse
from yolor_gp.models.network import ClassifierNetwork, DetectionNetwork

Network = DetectionNetwork | ClassifierNetwork
DETECTION_SIZE = 640
CLASSIFICATION_SIZE = 256


@dataclass
class LayerSummary:
    """One layer of the model file: params, and operations in units (not G)."""

    spec: LayerSpec
    sources: tuple[int, ...]
    params: int
    conv_flops: int = 0
    upsample_flops: int = 0
    output_shapes: list[tuple[int, ...]] = field(default_factory=list)


@dataclass(frozen=True)
class ModelSummary:
    """A network's cost: params (count), gflops and gflops_conv (10^9) at `size` x `size`."""

    name: str
    size: int
    params: int
    gflops: float
    gflops_conv: float
    layers: tuple[LayerSummary, ...]


def summarize(network_or_spec: Network | ModelSpec, size: int | None = None) -> ModelSummary:
    """Count a network without touching it.

    size: of the square image, a multiple of the network's largest stride; 640 for detectors and
    256 for classifiers when None. Raises `UserError` when the spec is wrong.
    """
    is_spec = isinstance(network_or_spec, ModelSpec)
    spec = network_or_spec if is_spec else network_or_spec.spec
    network = fuse(build_network(spec, device="meta"))
    weights_only = isinstance(network, ClassifierNetwork)
    size = size or (CLASSIFICATION_SIZE if weights_only else DETECTION_SIZE)
    layers = [
        LayerSummary(layer, sources, _count_parameters(module, weights_only))
        for layer, sources, module in zip(
            spec.layers, network.sources, [*network.layers, network.head], strict=True
        )
    ]
    with _counting(network, layers), torch.no_grad():
        network(torch.empty(1, 3, size, size, device="meta"))
    conv = sum(layer.conv_flops for layer in layers)
    upsample = 0 if weights_only else sum(layer.upsample_flops for layer in layers)
    return ModelSummary(
        name=spec.name,
        size=size,
        params=sum(layer.params for layer in layers),
        gflops=(conv + upsample) / 1e9,
        gflops_conv=conv / 1e9,
        layers=tuple(layers),
    )


def _count_parameters(module: nn.Module, weights_only: bool) -> int:
    return sum(p.numel() for p in module.parameters() if not weights_only or p.ndim > 1)


@contextmanager
def _counting(network: Network, layers: list[LayerSummary]) -> Iterator[None]:
    """Hooks that add each module's operations to its layer while the network runs."""
    handles = []
    for layer, module in zip(layers, [*network.layers, network.head], strict=True):
        for part in module.modules():
            if isinstance(part, nn.Conv2d | nn.Upsample):
                handles.append(part.register_forward_hook(_part_hook(layer)))
        handles.append(module.register_forward_hook(_shape_hook(layer)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _part_hook(layer: LayerSummary):  # type: ignore[no-untyped-def]
    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            layer.conv_flops += 2 * output.numel() * module.weight[0].numel()
        elif isinstance(module, nn.Upsample) and module.mode == "nearest":
            layer.upsample_flops += 2 * output.numel()

    return count


def _shape_hook(layer: LayerSummary):  # type: ignore[no-untyped-def]
    def note(module: nn.Module, inputs: object, output: object) -> None:
        outputs = output[0] if isinstance(output, tuple) else (output,)
        layer.output_shapes = [tuple(x.shape[1:]) for x in outputs]

    return note
