"""YOLOv7 in the layout of the MIT-licensed re-implementations: plain tensors by layer number.

MultimediaTechLab/YOLO writes `0.conv.weight` ... `105.heads.0.head_conv.weight`, LibreYOLO the same
below `layers.`. Layers with numbers come in the order of `yolor-elan`'s, so each is mapped by its
place and its shape; wiring, anchors and pooling are those of `yolor-elan`, which are YOLOv7's.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from yolor_gp.config.coco_names import COCO_NAMES
from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.errors import UserError
from yolor_gp.interop.pickle_values import TensorReference
from yolor_gp.interop.torch_archive import TorchArchive
from yolor_gp.models.blocks.conv import BATCH_NORM_EPSILON, Conv
from yolor_gp.models.blocks.elan import ELAN, Down
from yolor_gp.models.blocks.pool import SPPCSPC
from yolor_gp.models.builder import build_network
from yolor_gp.models.network import DetectionNetwork

_MODEL = """\
extends: yolor-elan
nc: {classes}
width_multiple: {width}
replace:
  AnchorHead: {{masks: 0}}
"""
_FIRST_WIDTH, _ANCHORS, _BOX = 32, 3, 5
_KEY = re.compile(r"(?:(?:model|layers)\.){0,3}(\d{1,4})\.(.+)")
_HEAD = re.compile(r"heads\.\d+\.(head_conv\.weight|implicit_a\.implicit)")
_PLACES = ("ema", "model", "model_state_dict", "state_dict")
"""Where a checkpoint may keep its tensors, if they are not all there is."""

_PARTS: Mapping[type[nn.Module], tuple[str, ...]] = {
    Conv: ("",),
    ELAN: ("a.", "b.", "chain.0.", "chain.1.", "chain.2.", "chain.3.", "join."),
    Down: ("pooled.1.", "strided.0.", "strided.1."),
}
"""Convolutions of a block in the order of their numbers."""
_PYRAMID = {
    "before.": "pre_conv.", "bypass.": "short_conv.", "after.": "post_conv.", "join.": "merge_conv."
}  # fmt: skip
_LEVEL = {
    "conv": "head_conv", "implicit_add.value": "implicit_a.implicit",
    "implicit_multiply.value": "implicit_m.implicit",
}  # fmt: skip

Layers = dict[int, dict[str, TensorReference]]


def find_numbered_layers(archive: TorchArchive) -> Layers | None:
    """The tensors of a file of this layout by layer and name, None for any other file."""
    root = archive.root
    if not isinstance(root, dict):
        return None
    for candidate in [root, *(root.get(place) for place in _PLACES)]:
        if isinstance(candidate, dict):
            layers = _layers(candidate)
            if layers and any(map(_HEAD.fullmatch, layers[max(layers)])):
                return layers
    return None


def import_numbered(
    archive: TorchArchive, layers: Layers
) -> tuple[ModelSpec, dict[str, Tensor], tuple[str, ...]]:
    """The model file, the float32 weights by our names, and the class names.

    A level's last 3x3 convolution has a 1x1 beside it there, and is one here (`_one_convolution`).

    Raises:
        UserError: Tensors that are missing, left over, or of another shape.
    """
    file = archive.file
    spec = _spec(file, layers)
    network = build_network(spec, device="meta")
    assert isinstance(network, DetectionNetwork)
    found = archive.tensors({
        f"{number}.{name}": reference
        for number, layer in layers.items() for name, reference in layer.items()
    })  # fmt: skip
    wanted = network.state_dict()
    tensors: dict[str, Tensor] = {}
    # The last number has the levels: with one too few or too many, something does not fit.
    for (own, part), number in zip(_own_parts(network), sorted(layers), strict=False):
        given = {name: found[f"{number}.{name}"] for name in layers[number]}
        renamed = {own + name: value for name, value in _renamed(part, given, file, number)}
        expected = {name: wanted[name] for name in wanted if name.startswith(own)}
        _check(renamed, expected, f"{file}: layer {number}")
        tensors |= renamed
    return spec, tensors, _names(archive.root, spec.num_classes)


def _check(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], where: str) -> None:
    for name in {**wanted, **given}:
        if name not in given or name not in wanted:
            state = "is missing" if name in wanted else "is not known"
            raise UserError(f"{where}: {name} of yolor-elan {state}")
        if given[name].shape != wanted[name].shape:
            raise UserError(
                f"{where}: shape {list(given[name].shape)}, expected"
                f" {list(wanted[name].shape)} for {name} of yolor-elan"
            )
        if not bool(torch.isfinite(given[name]).all()):
            raise UserError(f"{where}: numbers that are none in what becomes {name}")


def _layers(candidate: Mapping[Any, Any]) -> Layers:
    layers: Layers = defaultdict(dict)
    for key, value in candidate.items():
        match = _KEY.fullmatch(key) if isinstance(key, str) else None
        if match is None or not isinstance(value, TensorReference):
            return {}
        layers[int(match[1])][match[2]] = value
    return dict(layers)


def _spec(file: str, layers: Layers) -> ModelSpec:
    """yolor-elan without masks, of the width of the first layer and the classes of the last.

    Raises:
        UserError: When these are missing, or of no width or classes that YOLOv7 has.
    """
    first = layers[min(layers)].get("conv.weight")
    last = layers[max(layers)].get("heads.0.head_conv.weight")
    if first is None or last is None or not (first.shape and last.shape):
        raise UserError(f"{file}: its first or last convolution is missing")
    classes, rest = divmod(last.shape[0], _ANCHORS)
    width = first.shape[0] / _FIRST_WIDTH
    if rest or not _BOX < classes <= 10_000 or not 0 < width <= 4:
        raise UserError(
            f"{file}: {first.shape[0]} channels after its first layer and {last.shape[0]} in its"
            " last are not YOLOv7's"
        )
    return ModelSpec.from_text(_MODEL.format(classes=classes - _BOX, width=width), file)


def _own_parts(network: DetectionNetwork) -> Iterator[tuple[str, nn.Module]]:
    """The prefix of the names, and the block, of what has a number there, in its order.

    Yields:
        Prefix and block, in the order of the numbers.
    """
    for index, layer in enumerate(network.layers):
        if isinstance(layer, SPPCSPC):
            yield f"layers.{index}.", layer
        for part in _PARTS.get(type(layer), ()):
            yield f"layers.{index}.{part}", layer
    yield "head.levels.", network.head


def _renamed(
    part: nn.Module, given: dict[str, Tensor], file: str, number: int
) -> Iterator[tuple[str, Tensor]]:
    if "conv1.conv.weight" in given:
        try:
            given = _one_convolution(given)
        except (KeyError, RuntimeError):
            raise UserError(f"{file}: layer {number}: its two convolutions do not fit") from None
    for name, value in given.items():
        if isinstance(part, SPPCSPC):
            for own, theirs in _PYRAMID.items():
                name = re.sub(f"^{re.escape(theirs)}", own, name)
        if name.startswith("heads."):
            for own, theirs in _LEVEL.items():
                name = name.removeprefix("heads.").replace(theirs, own)
        yield name.replace("bn.", "norm."), value


def _one_convolution(given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The sum of a 3x3 and a 1x1 convolution, each normalised, as one that is normalised once.

    The function is the same to rounding, and so is the mean; the variance is what it would be if
    the two were uncorrelated, which training corrects.
    """
    rest = dict(given)
    summed: dict[str, Tensor] = defaultdict(lambda: torch.zeros(()))
    for branch, padding in (("conv1", 0), ("conv2", 1)):
        variance = rest.pop(f"{branch}.bn.running_var")
        factor = rest.pop(f"{branch}.bn.weight") / (variance + BATCH_NORM_EPSILON).sqrt()
        kernel = nn.functional.pad(rest.pop(f"{branch}.conv.weight"), [padding] * 4)
        summed["conv.weight"] = summed["conv.weight"] + kernel * factor[:, None, None, None]
        mean = rest.pop(f"{branch}.bn.running_mean") * factor
        summed["bn.running_mean"] = summed["bn.running_mean"] + mean
        summed["bn.running_var"] = summed["bn.running_var"] + variance * factor**2
        summed["bn.bias"] = summed["bn.bias"] + rest.pop(f"{branch}.bn.bias")
        summed["bn.num_batches_tracked"] = rest.pop(f"{branch}.bn.num_batches_tracked")
    gain = (summed["bn.running_var"] + BATCH_NORM_EPSILON).sqrt()
    return {**rest, **summed, "bn.weight": gain}


def _names(root: Mapping[Any, Any], number: int) -> tuple[str, ...]:
    """As the file says, COCO's for 80, else numbers."""
    names = root.get("names")
    if isinstance(names, dict):
        names = [names.get(index) for index in range(number)]
    listed = names if isinstance(names, list | tuple) else ()
    found = [name[:200] for name in listed if isinstance(name, str)]
    if len(found) == number == len(set(found)):
        return tuple(found)
    return COCO_NAMES if number == len(COCO_NAMES) else tuple(map(str, range(number)))
