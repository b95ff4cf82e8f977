"""Which channel of which earlier value every channel of a value comes from.

A *unit* of a value is one index along the dimensions that tell channels apart (its channel
dimensions; dimension 1 after a convolution, the last one after a linear layer). A `Wire` maps every
unit of a value to a unit of one earlier value. Rearrangements (cat, chunk, view, permute, pad ...)
are not described by hand: the operation itself runs on a tensor that holds unit numbers.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from yolor_gp.analysis.operations import Kind, kind_of, operation_name
from yolor_gp.analysis.trace import Trace
from yolor_gp.errors import UserError

Units = NDArray[np.int64]


@dataclass(frozen=True)
class Wire:
    """One input of an operation.

    source: the operation whose value is handed on; unit: i64 array over the channel dimensions
    of the result (length 1 elsewhere), the flat unit of the source at each place, -1 for none.
    """

    source: fx.Node
    unit: Units


@dataclass(frozen=True)
class Value:
    """A tensor that gradient can pass back through, as far as channels are concerned.

    units: its length along channel dimensions, 1 along the others; wires: empty for a layer.
    """

    units: tuple[int, ...]
    wires: tuple[Wire, ...] = ()

    @property
    def count(self) -> int:
        """How many units it has."""
        return int(np.prod(self.units))

    @property
    def channel_dims(self) -> tuple[int, ...]:
        """Dimensions along which units differ."""
        return tuple(dim for dim, length in enumerate(self.units) if length > 1)


@dataclass(frozen=True)
class Wiring:
    """Values that depend on a weighted layer: `single` tensors, and operations giving `several`."""

    single: Mapping[fx.Node, Value]
    several: Mapping[fx.Node, tuple[Value, ...]]


def read_wiring(trace: Trace) -> Wiring:
    """Read every operation of `trace`; raises `UserError` for one that it cannot read."""
    reader = _Reader(trace)
    for node in trace.nodes:
        reader.read(node)
    return Wiring(reader.single, reader.several)


class _Reader:
    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.single: dict[fx.Node, Value] = {}
        self.several: dict[fx.Node, tuple[Value, ...]] = {}

    def read(self, node: fx.Node) -> None:
        """Add the value of `node`, whose inputs have been read."""
        if node.op in ("placeholder", "output", "get_attr") or isinstance(node.target, type):
            return
        if node.target is operator.getitem and node.args[0] in self.several:
            self._pick(node)
            return
        module = self.trace.module(node) if node.op == "call_module" else None
        kind = kind_of(node, module)
        sources = [source for source in node.all_input_nodes if source in self.single]
        if kind is Kind.LAYER:
            self.single[node] = Value(_layer_units(node, self.trace))
            return
        if kind is Kind.STOP or not sources:
            return
        result = self.trace.values[node]
        if kind is Kind.ELEMENTWISE:
            self.single[node] = self._elementwise(node, sources, result)
        elif kind is Kind.SPATIAL:
            self.single[node] = self._spatial(node, sources, result)
        elif kind is Kind.REDUCE:
            self.single[node] = self._reduce(node, sources[0])
        elif kind is Kind.REARRANGE:
            self._rearrange(node)
        elif isinstance(result, Tensor):
            raise self._unreadable(node, "this operation is not known to the analysis")

    def _pick(self, node: fx.Node) -> None:
        parts = self.several[_node(node.args[0])]
        index = node.args[1]
        if isinstance(index, slice):
            self.several[node] = parts[index]
        else:
            self.single[node] = parts[int(index)]  # type: ignore[arg-type]

    def _elementwise(self, node: fx.Node, sources: list[fx.Node], result: Tensor) -> Value:
        flat = {source: _unit_numbers(self.single[source].units) for source in sources}
        rank = result.ndim
        units = np.broadcast_shapes(
            *((1,) * (rank - len(self.single[s].units)) + self.single[s].units for s in sources)
        )
        keep = self._nonzero_factor(node, sources, units)
        wires = [
            Wire(source, np.where(keep, np.broadcast_to(flat[source], units), -1))
            for source in _with_repeats(node, sources)
        ]
        return Value(units, tuple(wires))

    def _nonzero_factor(
        self, node: fx.Node, sources: list[fx.Node], units: tuple[int, ...]
    ) -> NDArray[np.bool_]:
        """Where a product with a constant buffer (a mask) is not zero."""
        keep = np.ones(units, dtype=bool)
        if operation_name(node) not in ("mul", "mul_", "imul", "multiply"):
            return keep
        for other in node.all_input_nodes:
            if other in sources or other.op != "get_attr":
                continue
            factor = operator.attrgetter(str(other.target))(self.trace.network)
            if not isinstance(factor, Tensor) or factor.requires_grad:
                continue
            if isinstance(factor, torch.nn.Parameter):
                continue
            if factor.is_meta:
                raise self._unreadable(
                    node, f"the values of buffer '{other.target}' are not known on meta"
                )
            nonzero = (factor != 0).numpy(force=True)
            nonzero = nonzero.reshape((1,) * (len(units) - nonzero.ndim) + nonzero.shape)
            others = tuple(dim for dim in range(len(units)) if units[dim] == 1)
            keep = keep & nonzero.any(axis=others, keepdims=True)
        return keep

    def _spatial(self, node: fx.Node, sources: list[fx.Node], result: Any) -> Value:
        source = sources[0]
        value = self.single[source]
        if isinstance(result, tuple):  # max-pooling that gives indices, too
            self.several[node] = (Value(value.units, (_through(source, value),)),)
            result = result[0]
        dims = value.channel_dims
        if any(result.shape[dim] != value.units[dim] for dim in dims):
            raise self._unreadable(node, "it changes the number of channels")
        return Value(value.units, (_through(source, value),))

    def _reduce(self, node: fx.Node, source: fx.Node) -> Value:
        numbers = self._numbers(source, 1)
        arguments = list(node.args[1:2])
        options = {key: value for key, value in node.kwargs.items() if key in ("dim", "keepdim")}
        if not arguments and "dim" not in options:
            options["dim"] = tuple(range(numbers.ndim))
        low = torch.amin(numbers, *arguments, **options)  # type: ignore[arg-type]
        high = torch.amax(numbers, *arguments, **options)  # type: ignore[arg-type]
        if not torch.equal(low, high):
            raise self._unreadable(node, "it mixes channels without a weight")
        return self._wired(low, [source])

    def _rearrange(self, node: fx.Node) -> None:
        """Run the operation on unit numbers (0: none) instead of data."""
        sources: list[fx.Node] = []  # one per use: cat([x, x]) hands the gradient to x twice
        start = 1

        def argument(other: fx.Node) -> Any:
            nonlocal start
            if other in self.single:
                numbers = self._numbers(other, start)
                sources.append(other)
                start += self.single[other].count
                return numbers
            concrete = self.trace.values[other]
            if isinstance(concrete, Tensor):
                return torch.zeros(concrete.shape, dtype=torch.float64)
            return concrete

        args = fx.map_arg(node.args, argument)
        kwargs = fx.map_arg(node.kwargs, argument)
        try:
            if node.op == "call_module":
                result = self.trace.module(node)(*args, **kwargs)
            elif node.op == "call_method":
                result = getattr(args[0], str(node.target))(*args[1:], **kwargs)
            else:
                result = node.target(*args, **kwargs)  # type: ignore[operator]
        except (RuntimeError, TypeError, IndexError, NotImplementedError) as error:
            raise self._unreadable(node, f"it cannot be followed ({error})") from error
        if isinstance(result, Tensor):
            self.single[node] = self._wired(result, sources)
        else:
            self.several[node] = tuple(self._wired(part, sources) for part in result)

    def _numbers(self, source: fx.Node, start: int) -> Tensor:
        """A tensor shaped like the value of `source` that holds unit numbers, from `start`."""
        value = self.single[source]
        place = torch.arange(start, start + value.count, dtype=torch.float64)
        return place.reshape(value.units).expand(self.trace.values[source].shape)

    def _wired(self, result: Tensor, sources: list[fx.Node]) -> Value:
        """Read back where each unit number of `sources` has come to lie in `result`."""
        for dim in range(result.ndim):
            first = result.narrow(dim, 0, 1)
            if result.shape[dim] > 1 and torch.equal(first.expand(result.shape), result):
                result = first
        found = result.numpy().astype(np.int64) - 1
        wires = []
        start = 0
        for source in sources:
            count = self.single[source].count
            inside = (found >= start) & (found < start + count)
            if inside.any():
                wires.append(Wire(source, np.where(inside, found - start, -1)))
            start += count
        return Value(tuple(found.shape), tuple(wires))

    def _unreadable(self, node: fx.Node, reason: str) -> UserError:
        where = str(node.target) if node.op == "call_module" else _module_path(node) or node.name
        what = operation_name(node)
        if node.op == "call_module":
            what = type(self.trace.module(node)).__name__
        return UserError(
            f"{type(self.trace.network).__name__}: {where}: operation '{what}'"
            f" (node {node.name}): {reason}; what can be read: weighted layers, element-wise"
            " operations, concatenation, splits, slices, views, pooling, upsampling and detach"
        )


def _through(source: fx.Node, value: Value) -> Wire:
    return Wire(source, _unit_numbers(value.units))


def _unit_numbers(units: tuple[int, ...]) -> Units:
    return np.arange(int(np.prod(units)), dtype=np.int64).reshape(units)


def _with_repeats(node: fx.Node, sources: list[fx.Node]) -> list[fx.Node]:
    """`sources` as often as they are arguments: x + x hands the gradient to x twice."""
    arguments: list[fx.Node] = []
    fx.map_arg((node.args, node.kwargs), arguments.append)
    return [argument for argument in arguments if argument in sources]


def _node(argument: Any) -> fx.Node:
    assert isinstance(argument, fx.Node)
    return argument


def _module_path(node: fx.Node) -> str:
    stack: Mapping[str, Any] = node.meta.get("nn_module_stack") or {}
    return str(list(stack.values())[-1][0]) if stack else ""


def _layer_units(node: fx.Node, trace: Trace) -> tuple[int, ...]:
    shape = tuple(trace.values[node].shape)
    channel_dim = layer_channel_dim(node, trace)
    return tuple(length if dim == channel_dim else 1 for dim, length in enumerate(shape))


def layer_channel_dim(node: fx.Node, trace: Trace) -> int:
    """The channel dimension of a layer's input and output: the last for linear layers, else 1."""
    rank = trace.values[node].ndim
    name = operation_name(node)
    if node.op == "call_module":
        name = "linear" if isinstance(trace.module(node), torch.nn.Linear) else "conv"
    return int(rank) - 1 if name == "linear" else 1
