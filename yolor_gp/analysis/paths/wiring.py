"""Reads a trace operation by operation into values and wires; refuses what it cannot read.

Rearrangements (cat, chunk, view, permute, pad ...) are not described by hand: the operation itself
runs on a tensor that holds unit numbers.
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
from torch.utils._pytree import tree_leaves

from yolor_gp.analysis.paths.operations import Kind, changes_in_place, kind_of, operation_name
from yolor_gp.analysis.paths.trace import Trace
from yolor_gp.analysis.paths.wires import Value, Wire, numbered, read_back, rearranged
from yolor_gp.errors import UserError


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


def layer_channel_dim(node: fx.Node, trace: Trace) -> int:
    """The channel dimension of a layer's input and output: the last for linear layers, else 1."""
    name = operation_name(node)
    if node.op == "call_module":
        name = "linear" if isinstance(trace.module(node), torch.nn.Linear) else "conv"
    return int(trace.values[node].ndim) - 1 if name == "linear" else 1


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
            self._check_layer(node, sources)
            self.single[node] = Value(self._layer_units(node))
        elif kind is not Kind.STOP:
            self._check_inputs(node)
            if sources:
                self._read_kind(node, kind, sources)
        elif operation_name(node) == "getattr" and sources:
            self._check_attribute(node)

    def _read_kind(self, node: fx.Node, kind: Kind | None, sources: list[fx.Node]) -> None:
        if kind is Kind.ELEMENTWISE:
            self.single[node] = self._elementwise(node, sources)
        elif kind is Kind.SPATIAL:
            self._spatial(node, sources[0])
        elif kind is Kind.REDUCE:
            self.single[node] = self._reduce(node, sources[0])
        elif kind is Kind.REARRANGE:
            self._rearrange(node)
        elif node.target is operator.setitem or any(
            isinstance(leaf, Tensor) for leaf in tree_leaves(self.trace.values[node])
        ):
            raise self._unreadable(node, "this operation is not known to the analysis")

    def _check_layer(self, node: fx.Node, sources: list[fx.Node]) -> None:
        if any(source is not node.args[0] for source in sources if node.args):
            raise self._unreadable(node, "its weight is computed by other layers")

    def _check_inputs(self, node: fx.Node) -> None:
        if any(source in self.several for source in node.all_input_nodes):
            raise self._unreadable(
                node,
                "it takes all parts of a split at once; name them first: a, b = x.chunk(2)",
            )
        if changes_in_place(node):
            target = node.args[0]
            if isinstance(target, fx.Node) and len(target.users) > 1 and target in self.single:
                order = {other: index for index, other in enumerate(self.trace.nodes)}
                if any(order[user] > order[node] for user in target.users):
                    raise self._unreadable(node, "it changes a tensor that is used again later")

    def _check_attribute(self, node: fx.Node) -> None:
        if isinstance(self.trace.values[node], Tensor) and node.args[1] != "data":
            raise self._unreadable(node, f"attribute '{node.args[1]}' of a tensor")

    def _pick(self, node: fx.Node) -> None:
        parts = self.several[_node(node.args[0])]
        index = node.args[1]
        if isinstance(index, slice):
            self.several[node] = parts[index]
        else:
            self.single[node] = parts[int(index)]  # type: ignore[arg-type]

    def _elementwise(self, node: fx.Node, sources: list[fx.Node]) -> Value:
        rank = self.trace.values[node].ndim
        shapes = [self.single[source].units for source in sources]
        units = np.broadcast_shapes(*((1,) * (rank - len(shape)) + shape for shape in shapes))
        keep = self._nonzero_factor(node, sources, units)
        arguments: list[fx.Node] = []  # one per use: x + x hands the gradient to x twice
        fx.map_arg((node.args, node.kwargs), arguments.append)
        wires = [
            Wire(
                source,
                np.where(keep, np.broadcast_to(self.single[source].unit_numbers, units), -1),
            )
            for source in arguments
            if source in self.single
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
            if not isinstance(factor, Tensor) or isinstance(factor, torch.nn.Parameter):
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

    def _spatial(self, node: fx.Node, source: fx.Node) -> None:
        value, result = self.single[source], self.trace.values[node]
        handed = Value(value.units, (Wire(source, value.unit_numbers),))
        tensor = result[0] if isinstance(result, tuple) else result
        if any(tensor.shape[dim] != value.units[dim] for dim in value.channel_dims):
            raise self._unreadable(node, "it changes the number of channels")
        if isinstance(result, tuple):  # max-pooling that gives indices, too
            self.several[node] = (handed,)
        else:
            self.single[node] = handed

    def _reduce(self, node: fx.Node, source: fx.Node) -> Value:
        value = self.single[source]
        numbers = numbered(value, self.trace.values[source].shape, 1)
        arguments = list(node.args[1:2])
        options = {key: value for key, value in node.kwargs.items() if key in ("dim", "keepdim")}
        if not arguments and "dim" not in options:
            options["dim"] = tuple(range(numbers.ndim))
        low = torch.amin(numbers, *arguments, **options)  # type: ignore[arg-type]
        high = torch.amax(numbers, *arguments, **options)  # type: ignore[arg-type]
        if not torch.equal(low, high):
            raise self._unreadable(node, "it mixes channels without a weight")
        return read_back(low, [(source, value)])

    def _rearrange(self, node: fx.Node) -> None:
        def call(args: Any, kwargs: Any) -> Any:
            if node.op == "call_module":
                return self.trace.module(node)(*args, **kwargs)
            if node.op == "call_method":
                return getattr(args[0], str(node.target))(*args[1:], **kwargs)
            return node.target(*args, **kwargs)  # type: ignore[operator]

        try:
            found = rearranged(node, self.single, self.trace.values, call)
        except (RuntimeError, TypeError, IndexError, NotImplementedError) as error:
            raise self._unreadable(node, f"it cannot be followed ({error})") from error
        if isinstance(found, Value):
            self.single[node] = found
        else:
            self.several[node] = found

    def _layer_units(self, node: fx.Node) -> tuple[int, ...]:
        shape = tuple(self.trace.values[node].shape)
        channel_dim = layer_channel_dim(node, self.trace)
        return tuple(length if dim == channel_dim else 1 for dim, length in enumerate(shape))

    def _unreadable(self, node: fx.Node, reason: str) -> UserError:
        where, what = _module_path(node) or node.name, operation_name(node)
        if node.op == "call_module":
            where, what = str(node.target), type(self.trace.module(node)).__name__
        return UserError(
            f"{type(self.trace.network).__name__}: {where}: operation '{what}'"
            f" (node {node.name}): {reason}; what can be read: weighted layers, element-wise"
            " operations, concatenation, splits, slices, views, pooling, upsampling and detach"
        )


def _node(argument: Any) -> fx.Node:
    assert isinstance(argument, fx.Node)
    return argument


def _module_path(node: fx.Node) -> str:
    stack: Mapping[str, Any] = node.meta.get("nn_module_stack") or {}
    return str(list(stack.values())[-1][0]) if stack else ""
