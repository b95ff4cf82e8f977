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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.pooling import _AdaptiveAvgPoolNd, _AvgPoolNd, _MaxPoolNd

from yolor_gp.analysis.paths.network_sources import NetworkSource
from yolor_gp.errors import UserError

_LENGTH = 16384  # pixels of the axis
_PERIOD = 128  # pixels in the middle that are looked at: more than any stride


@dataclass(frozen=True)
class Field:
    """First and last pixel of every cell along one axis: f64[n] each, infinite after pooling."""

    first: NDArray[np.float64]
    last: NDArray[np.float64]

    @property
    def size(self) -> NDArray[np.float64]:
        """Pixels from the first to the last: f64[n]."""
        return self.last - self.first + 1

    def window(self, kernel: int, stride: int, padding: int, dilation: int) -> Field:
        """What a convolution or pooling makes of it; beyond the edge the edge goes on."""
        count = max((len(self.first) + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1, 1)
        begin = np.arange(count) * stride - padding
        lowest = begin.clip(0, len(self.first) - 1)
        highest = (begin + dilation * (kernel - 1)).clip(0, len(self.first) - 1)
        return Field(self.first[lowest], self.last[highest])

    def upsampled(self, factor: float, *, linear: bool) -> Field:
        """Every cell stands for `factor` cells; linear: and reads its neighbour."""
        scaled = np.arange(round(len(self.first) * factor)) / factor
        if not linear:
            index = scaled.astype(np.int64)
            return Field(self.first[index], self.last[index])
        source = (scaled + 0.5 / factor - 0.5).clip(0, len(self.first) - 1)
        low = np.floor(source).astype(np.int64)
        return Field(self.first[low], self.last[np.ceil(source).astype(np.int64)])

    def everything(self) -> Field:
        """What pooling over the whole map makes of it."""
        return Field(np.full_like(self.first, -np.inf), np.full_like(self.first, np.inf))

    def every(self, start: int | None, step: int) -> Field:
        """Only each `step`-th cell."""
        return Field(self.first[start::step], self.last[start::step])

    def largest(self) -> float:
        """The largest size in the middle, in pixels."""
        cells = max(_PERIOD * len(self.first) // _LENGTH, 1)
        middle = len(self.first) // 2
        return float(self.size[middle : middle + cells].max())


@dataclass(frozen=True)
class Fields:
    """The union of all pathways, and the one that has seen least."""

    union: Field
    least: Field

    def each(self, change: Callable[[Field], Field]) -> Fields:
        """The same change of both."""
        return Fields(change(self.union), change(self.least))


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
        self._known: dict[fx.Node, Any] = {}
        self._layers: dict[str, LayerField] = {}

    def over(self, graph: fx.Graph) -> Mapping[str, LayerField]:
        for node in graph.nodes:
            if node.op == "placeholder":
                pixels = np.arange(_LENGTH, dtype=np.float64)
                self._known[node] = Fields(Field(pixels, pixels), Field(pixels, pixels))
            elif node.op == "call_module":
                self._known[node] = self._module(node)
            elif node.op in ("call_function", "call_method"):
                self._known[node] = self._function(node)
        return self._layers

    def _module(self, node: fx.Node) -> Any:
        module = self._network.get_submodule(str(node.target))
        given = self._joined(node)
        found = self._through(module, given)
        if isinstance(module, _ConvNd | nn.Linear):
            name = str(node.target).removeprefix("network.")
            while name in self._layers:
                name += "@again"
            self._layers[name] = LayerField(
                name, given.union.largest(), given.least.largest(), found.union.largest()
            )
        return found

    def _through(self, module: nn.Module, given: Fields) -> Fields:
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
            return given.each(Field.everything)
        return given  # normalisation, activation, dropout, a linear layer: cell by cell

    def _function(self, node: fx.Node) -> Any:
        name = str(getattr(node.target, "__name__", node.target))
        if node.target is operator.getitem:
            return self._item(self._known.get(cast(fx.Node, node.args[0])), node.args[1])
        if name in ("getattr", "size", "shape"):
            return None
        given = self._joined(node)
        if name in ("mean", "flatten") or name.startswith("adaptive_avg_pool"):
            return given.each(Field.everything)
        if "pool" in name or "conv" in name or "interpolate" in name:
            raise UserError(f"{self._name}: the operation {name} cannot be followed")
        return given

    def _item(self, given: Any, index: Any) -> Any:
        """A part of channels, or every n-th row and column."""
        if not isinstance(given, Fields) or not isinstance(index, tuple):
            return given
        parts = [part for part in index if part is not Ellipsis]
        place = parts[-2:][self._axis] if len(parts) >= 2 and Ellipsis in index else (
            index[2 + self._axis] if len(index) == 4 else None)  # fmt: skip
        if isinstance(place, slice) and place.step not in (None, 1):
            step = place.step
            return given.each(lambda field: field.every(place.start, step))
        return given

    def _joined(self, node: fx.Node) -> Fields:
        found = [known for source in node.all_input_nodes
                 if isinstance(known := self._known.get(source), Fields)]  # fmt: skip
        if not found:
            raise UserError(f"{self._name}: what {node.name} reads cannot be followed")
        return Fields(
            _union([fields.union for fields in found]), _least([fields.least for fields in found])
        )

    def _of_axis(self, value: Any) -> Any:
        if isinstance(value, tuple | list):
            return value[self._axis]
        return value


def _union(fields: Sequence[Field]) -> Field:
    alike = _alike(fields)
    return Field(np.min([f.first for f in alike], axis=0), np.max([f.last for f in alike], axis=0))


def _least(fields: Iterable[Field]) -> Field:
    """The one that has seen least; of pooled ones, which see everything, the other."""
    return min(_alike(list(fields)), key=Field.largest)


def _alike(fields: Sequence[Field]) -> list[Field]:
    """Of one length: a map that was pooled to one cell is spread over the others."""
    longest = max(len(field.first) for field in fields)
    return [
        field if len(field.first) == longest
        else Field(np.resize(field.first, longest), np.resize(field.last, longest))
        for field in fields
    ]  # fmt: skip


def in_words(size: float) -> str:
    """Pixels, or "all"."""
    return "all" if math.isinf(size) else f"{size:.0f}"
