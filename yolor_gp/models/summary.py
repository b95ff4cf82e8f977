"""What a network costs: parameters and FLOPs, counted on the meta device, without memory.

Two conventions stand side by side (`gflops` is the one of the paper's tables):
gflops_conv: 2 x multiply-adds of the convolutions, as `torch.utils.flop_counter` gives;
gflops: the same plus 2 for every output element of nearest-neighbour upsampling.
Activations, pooling, concatenation, addition and implicit layers cost nothing in both.
Parameters are those left when batch normalisation and RepConv are folded, implicit constants
included. Classifiers follow the convention of Table 2: 256 x 256 pixels, and the weights of the
convolutions only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from yolor_gp.config.model_spec import LayerSpec, ModelSpec
from yolor_gp.errors import UserError
from yolor_gp.models.blocks.implicit import ImplicitAdd, ImplicitMultiply
from yolor_gp.models.builder import build_network
from yolor_gp.models.fuse import fuse
from yolor_gp.models.heads.anchor_head import AnchorHead
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

    def __str__(self) -> str:
        lines = [
            f"{self.name}, {self.size} x {self.size}",
            f"{'layer':>5}  {'from':<12} {'block':<14} {'output':<18} {'params':>12} {'GFLOPs':>9}",
        ]
        for layer in self.layers:
            shapes = " ".join("x".join(map(str, shape)) for shape in layer.output_shapes[:1])
            sources = ",".join("image" if s < 0 else str(s) for s in layer.sources)
            flops = (layer.conv_flops + layer.upsample_flops) / 1e9
            lines.append(
                f"{layer.spec.index:>5}  {sources:<12} {layer.spec.block:<14} {shapes:<18}"
                f" {layer.params:>12,} {flops:>9.3f}"
            )
        lines += [
            f"{len(self.layers)} layers, {self.params:,} parameters,"
            f" {self.gflops:.3f} GFLOPs ({self.gflops_conv:.3f} in the convolutions)",
            f"{self.gflops:.1f} G / {self.params / 1e6:.1f} M",
        ]
        return "\n".join(lines)


def summarize(network_or_spec: Network | ModelSpec, size: int | None = None) -> ModelSummary:
    """Count a network without touching it.

    size: of the square image, a multiple of the network's largest stride; 640 for detectors and 256
    for classifiers when None.

    Raises:
        UserError: When the spec or the size is wrong.
    """
    given = network_or_spec
    spec: ModelSpec = given if isinstance(given, ModelSpec) else given.spec
    network = build_network(spec, device="meta")
    implicit = [_implicit_parameters(module) for module in _layers_of(network)]
    fuse(network)
    weights_only = isinstance(network, ClassifierNetwork)
    size = size or (CLASSIFICATION_SIZE if weights_only else DETECTION_SIZE)
    if isinstance(network, DetectionNetwork) and size % network.max_stride:
        raise UserError(f"{spec.file}: size {size} is not a multiple of {network.max_stride}")
    layers = [
        LayerSummary(spec.layers[i], network.sources[i], _parameters(module, weights_only))
        for i, module in enumerate(_layers_of(network))
    ]
    for layer, learned_constants in zip(layers, implicit, strict=True):
        layer.params += learned_constants
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


def _layers_of(network: Network) -> list[nn.Module]:
    return [*network.layers, network.head]


def _parameters(module: nn.Module, weights_only: bool) -> int:
    return sum(p.numel() for p in module.parameters() if not weights_only or p.ndim > 1)


def _implicit_parameters(head: nn.Module) -> int:
    """Constants of a head that folding carries into its convolutions."""
    if not isinstance(head, AnchorHead):
        return 0
    constants = [m for m in head.modules() if isinstance(m, ImplicitAdd | ImplicitMultiply)]
    return sum(constant.value.numel() for constant in constants)


@contextmanager
def _counting(network: Network, layers: list[LayerSummary]) -> Iterator[None]:
    """Hooks that add each module's operations to its layer while the network runs."""
    handles = []
    for layer, module in zip(layers, _layers_of(network), strict=True):
        for part in module.modules():
            if isinstance(part, nn.Conv2d | nn.Upsample):
                handles.append(part.register_forward_hook(_part_hook(layer)))
        handles.append(module.register_forward_hook(_shape_hook(layer)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


Hook = Callable[[nn.Module, Any, Any], None]


def _part_hook(layer: LayerSummary) -> Hook:
    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            layer.conv_flops += 2 * output.numel() * module.weight[0].numel()
        elif isinstance(module, nn.Upsample) and module.mode == "nearest":
            layer.upsample_flops += 2 * output.numel()

    return count


def _shape_hook(layer: LayerSummary) -> Hook:
    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        outputs = output[0] if isinstance(output, tuple) else (output,)
        layer.output_shapes = [tuple(x.shape[1:]) for x in outputs]

    return note
