"""Official tensors brought to our names, every one compared with what the network expects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from yolor_gp.errors import UserError
from yolor_gp.interop.official_module import OfficialModule
from yolor_gp.interop.official_names import official_names, official_tensor
from yolor_gp.interop.pickle_values import TensorReference
from yolor_gp.interop.torch_archive import TorchArchive
from yolor_gp.models.blocks.conv import Conv
from yolor_gp.models.blocks.implicit import ImplicitMultiply
from yolor_gp.models.blocks.repconv import RepConv
from yolor_gp.models.blocks.residual import Bottleneck, Residual
from yolor_gp.models.network import DetectionNetwork

_MAX_SHOWN = 20
_GEOMETRY = ("kernel_size", "stride", "padding", "dilation", "groups")
# Of the head, but no weights: they are in the model file (`official_spec`).
_NOT_WEIGHTS = ("anchors", "anchor_grid", "stride")


def map_tensors(
    archive: TorchArchive, model: OfficialModule, network: DetectionNetwork
) -> dict[str, Tensor]:
    """A state dict for `network` (which may be on the meta device): float32, by our names.

    Raises:
        UserError: With a line per tensor that is missing, left over or of another shape, and per
            layer that was built in another way.
    """
    wanted = network.state_dict()
    chosen: dict[str, TensorReference] = {}
    constants: dict[str, Tensor] = {}
    used: set[str] = set()
    problems: list[str] = []
    for own, official in official_names(network):
        module = network.get_submodule(own)
        problems += _differences(module, model, official)
        for tensor in _own_tensors(module):
            name, found_name = f"{own}.{tensor}", f"{official}.{official_tensor(module, tensor)}"
            found, expected = model.tensors.get(found_name), tuple(wanted[name].shape)
            used.add(found_name)
            if found is None:
                problems.append(f"{found_name} is missing, expected shape {list(expected)}")
            elif found.shape == expected:
                chosen[name] = found
            elif _is_unused_multiplier(module, found, network):
                constants[name] = torch.ones(expected)
            else:
                problems.append(
                    f"{found_name} has shape {list(found.shape)}, expected {list(expected)}"
                )
    head = f"model.{len(network.layers)}."
    ignored = {head + name for name in _NOT_WEIGHTS}
    problems += [f"{name} is left over" for name in model.tensors if name not in used | ignored]
    missing = [name for name in wanted if name not in chosen and name not in constants]
    if not problems and missing:
        problems = [f"{name} of the network has no counterpart" for name in missing]
    if problems:
        shown = [f"{model.file}: {problem}" for problem in problems[:_MAX_SHOWN]]
        if len(problems) > _MAX_SHOWN:
            shown.append(f"{model.file}: ... and {len(problems) - _MAX_SHOWN} more")
        raise UserError(*shown)
    loaded = archive.tensors(chosen) | constants
    for own, official in official_names(network):
        if isinstance(network.get_submodule(own), nn.BatchNorm2d):
            _carry_epsilon(loaded, own, network, model.setting(official, "eps"))
    return {name: loaded[name] for name in wanted}


def _own_tensors(module: nn.Module) -> Iterator[str]:
    for name, _ in module.named_parameters(recurse=False):
        yield name
    for name, _ in module.named_buffers(recurse=False):
        yield name


def _is_unused_multiplier(
    module: nn.Module, found: TensorReference, network: DetectionNetwork
) -> bool:
    """A public YOLOv7 branch makes its multiplier without mask channels and never applies it."""
    without_masks = network.anchor_head.num_anchors * (5 + network.num_classes)
    return isinstance(module, ImplicitMultiply) and found.shape == (1, without_masks, 1, 1)


def _differences(module: nn.Module, model: OfficialModule, official: str) -> Iterator[str]:
    """How the recorded layer was built in another way than ours, where no shape would tell.

    Yields:
        A line for each difference.
    """
    if isinstance(module, nn.Conv2d):
        for key in _GEOMETRY:
            yield from _compared(official, key, model.setting(official, key), getattr(module, key))
    elif isinstance(module, Conv | RepConv):
        recorded = model.modules.get(f"{official}.act")
        if recorded is not None:
            own = type(module.activation).__name__
            yield from _compared(official, "activation", recorded.kind.name, own)
            if isinstance(module.activation, nn.LeakyReLU):
                slope = recorded.state.get("negative_slope")
                yield from _compared(
                    official, "negative_slope", slope, module.activation.negative_slope
                )
    elif isinstance(module, Bottleneck):
        has_shortcut = isinstance(module.block, Residual)
        yield from _compared(official, "add", model.setting(official, "add"), has_shortcut)


def _compared(official: str, key: str, found: Any, expected: Any) -> Iterator[str]:
    if found is not None and not (type(found) is type(expected) and found == expected):
        shown = found if isinstance(found, str | int | float) else "something else"
        yield f"{official} has {key} {str(shown)[:100]}, expected {expected}"


def _carry_epsilon(
    tensors: dict[str, Tensor], own: str, network: DetectionNetwork, epsilon: Any
) -> None:
    """A state dict has no epsilon: move a different one into the variance, where it is added."""
    norm = network.get_submodule(own)
    assert isinstance(norm, nn.BatchNorm2d)
    if isinstance(epsilon, float) and 0 < epsilon < 1 and epsilon != norm.eps:
        tensors[f"{own}.running_var"] += epsilon - norm.eps
