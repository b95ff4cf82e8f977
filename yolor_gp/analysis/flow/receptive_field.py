"""What part of the image every layer sees, before any training [FLOW, sec. 2].

A layer whose input has seen more than the whole image has no context to add: it is predicted
unproductive, and the first such layer is the border layer. Where pathways join, some of what
arrives has seen little and some much; both are followed, the largest field (the union of all
pathways) and the smallest (the pathway that has seen least).

The network is traced by `torch.fx` and run on intervals instead of numbers: for every cell along
one axis, the first and last pixel that it depends on. Cells in the middle of a long axis are looked
at, so that nothing is cut at the edge; of cells that differ by their place under an upsampling, the
one that sees most counts.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import fx, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.pooling import _AdaptiveAvgPoolNd, _AvgPoolNd, _MaxPoolNd

from yolor_gp.analysis.flow.fields import Channels, Field, beside, over
from yolor_gp.analysis.paths.network_sources import NetworkSource
from yolor_gp.errors import UserError

_ELEMENTWISE = {"add", "iadd", "sub", "mul", "truediv", "relu", "silu", "sigmoid", "dropout"}
"""Functions that leave every channel where it is."""

_REORDERING = (nn.PixelShuffle, nn.PixelUnshuffle, nn.ChannelShuffle, nn.Unflatten)


@dataclass(frozen=True)
class LayerField:
    """A layer with weights. Sizes in pixels, inf behind pooling over the whole map.

    Attributes:
        name: Of the module.
        sees: Largest field of its input.
        sees_at_least: Smallest field of its input over the pathways.
        gives: Largest field of its output.
    """

    name: str
    sees: float
    sees_at_least: float
    gives: float

    def is_beyond(self, image: int) -> bool:
        """Whether its input has seen more than the image: predicted unproductive."""
        return self.sees > image

    def is_surely_beyond(self, image: int) -> bool:
        """Whether every pathway into it has."""
        return self.sees_at_least > image


def receptive_fields(source: NetworkSource) -> list[LayerField]:
    """The convolutions and linear layers of a network in the order they run.

    Raises:
        UserError: When an operation cannot be followed.
    """
    wrapped = _Entry(source.network.eval(), source.entry)
    try:
        graph = _Tracer().trace(wrapped)
    except (TypeError, ValueError, RuntimeError, fx.proxy.TraceError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{source.name}: cannot be traced by torch.fx: {reason}") from None
    axes = [_Walk(wrapped, axis, source.name).over(graph) for axis in (0, 1)]
    return [
        max(pair, key=lambda layer: layer.gives)
        for pair in zip(*(layers.values() for layers in axes), strict=True)
    ]


def border(layers: Sequence[LayerField], image: int) -> LayerField | None:
    """The first layer whose input has seen more than the image, None where there is none."""
    return next((layer for layer in layers if layer.is_beyond(image)), None)


class _Entry(nn.Module):
    """The method to trace as `forward`."""

    def __init__(self, network: nn.Module, entry: str) -> None:
        super().__init__()
        self.network, self.entry = network, entry

    def forward(self, images: torch.Tensor) -> Any:
        return getattr(self.network, self.entry)(images)


class _Tracer(fx.Tracer):
    """Goes into everything but torch's own layers."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        del module_qualified_name
        is_container = isinstance(m, nn.Sequential | nn.ModuleList)
        return type(m).__module__.startswith("torch.nn") and not is_container


class _Walk:
    """One axis of a traced network; 0: height."""

    def __init__(self, network: nn.Module, axis: int, name: str) -> None:
        self._network, self._axis, self._name = network, axis, name
        self._known: dict[fx.Node, Channels | None] = {}
        self._layers: dict[str, LayerField] = {}

    def over(self, graph: fx.Graph) -> Mapping[str, LayerField]:
        for node in graph.nodes:
            if node.op == "placeholder":
                self._known[node] = Channels.of_image()
            elif node.op == "call_module":
                self._known[node] = self._module(node)
            elif node.op in ("call_function", "call_method"):
                self._known[node] = self._function(node)
        return self._layers

    def _module(self, node: fx.Node) -> Channels:
        module = self._network.get_submodule(str(node.target))
        (given,) = self._given(node)
        if not isinstance(module, _ConvNd | nn.Linear):
            return self._through(module, given)
        read = given.joined()
        found = self._through(module, Channels(((1, read),))).joined()
        name = str(node.target).removeprefix("network.")
        while name in self._layers:
            name += "@again"
        self._layers[name] = LayerField(
            name, read.union.largest(), read.least.largest(), found.union.largest()
        )
        count = module.out_features if isinstance(module, nn.Linear) else module.out_channels
        return Channels(((count, found),))

    def _through(self, module: nn.Module, given: Channels) -> Channels:
        if isinstance(module, _ConvNd | _MaxPoolNd | _AvgPoolNd):
            kernel, stride, padding, dilation = (
                self._of_axis(getattr(module, word, 1))
                for word in ("kernel_size", "stride", "padding", "dilation")
            )
            return given.each(lambda field: field.window(kernel, stride, padding, dilation))
        if isinstance(module, nn.Upsample):
            factor = self._of_axis(module.scale_factor)
            is_linear = module.mode != "nearest"
            return given.each(lambda field: field.upsampled(factor, linear=is_linear))
        if isinstance(module, _AdaptiveAvgPoolNd | nn.Flatten):
            return given.each(Field.everything).mixed()
        if isinstance(module, _REORDERING):
            return given.mixed()
        return given  # normalisation, activation, dropout: cell by cell

    def _function(self, node: fx.Node) -> Channels | None:
        name = str(getattr(node.target, "__name__", node.target))
        if name in ("getattr", "size", "shape"):
            return None
        if node.target is operator.getitem:
            known = self._known.get(cast(fx.Node, node.args[0]))
            return None if known is None else self._item(known, node.args[1])
        given = self._given(node)
        if name in ("cat", "concat"):
            return beside(given)
        if name in ("mean", "flatten") or name.startswith("adaptive_avg_pool"):
            return over(given).each(Field.everything).mixed()
        if "pool" in name or "conv" in name or "interpolate" in name:
            raise UserError(f"{self._name}: the operation {name} cannot be followed")
        together = over(given)
        return together if name in _ELEMENTWISE else together.mixed()

    def _item(self, given: Channels, index: Any) -> Channels:
        """A part of the channels, or every n-th row and column."""
        if not isinstance(index, tuple):
            return given.mixed()
        has_rest = Ellipsis in index
        parts = [part for part in index if part is not Ellipsis]
        place = parts[-2:][self._axis] if len(parts) >= 2 and has_rest else (
            index[2 + self._axis] if len(index) == 4 else None)  # fmt: skip
        if isinstance(place, slice) and place.step not in (None, 1):
            step = place.step
            given = given.each(lambda field: field.every(place.start, step))
        channels = index[1] if len(index) > 1 and not has_rest else None
        if isinstance(channels, slice) and channels.step in (None, 1):
            return given.between(channels.start, channels.stop)
        return given

    def _given(self, node: fx.Node) -> list[Channels]:
        found = [known for source in node.all_input_nodes if (known := self._known.get(source))]
        if not found:
            raise UserError(f"{self._name}: what {node.name} reads cannot be followed")
        return found

    def _of_axis(self, value: Any) -> Any:
        if isinstance(value, tuple | list):
            return value[self._axis]
        return value


def in_words(size: float) -> str:
    """Pixels, or "all"."""
    return "all" if math.isinf(size) else f"{size:.0f}"
