"""Follows gradient backwards through a trace, from every output to every weighted layer.

What arrives at a value is kept as *carried* arrays: for every unit of the value the input channel
of the consumer it feeds, -1 where this consumer's gradient does not reach. Two walks that carry the
same channels to the same consumer are counted, not listed, so the graph stays small where paths are
many.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from yolor_gp.analysis.paths.layers import Arrival, Carried, Consumer, Layer
from yolor_gp.analysis.paths.operations import Kind, kind_of, operation_name
from yolor_gp.analysis.paths.trace import Trace
from yolor_gp.analysis.paths.wires import Value, Wire
from yolor_gp.analysis.paths.wiring import layer_channel_dim, read_wiring
from yolor_gp.errors import UserError

# Gradient at a value: for each carried array the consumers it comes from and by how many routes.
_Arrivals = dict[bytes, tuple[Carried, dict[Consumer, int]]]


def read_layers(trace: Trace) -> tuple[Layer, ...]:
    """The weighted layers of `trace` in the order they run, each with what arrives at it."""
    return _Backward(trace).layers()


class _Backward:
    """Walks a trace from its outputs to its inputs."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.wiring = read_wiring(trace)
        self.values = self.wiring.single
        self.order = [node for node in trace.nodes if self._is_layer(node)]
        self.index = {node: index for index, node in enumerate(self.order)}
        self.arrivals: dict[fx.Node, _Arrivals] = defaultdict(dict)

    def layers(self) -> tuple[Layer, ...]:
        """Every weighted layer with what arrives at it, first to run first."""
        found: dict[int, Layer] = {}
        for node in reversed(self.trace.nodes):
            if node.op == "output":
                self._start(node)
            elif node in self.index:
                layer = self._layer(node)
                found[layer.index] = layer
                self._hand_to_input(node, layer)
            elif node in self.values:
                self._hand_on(self.values[node], self.arrivals.pop(node, {}))
        return tuple(found[index] for index in range(len(found)))

    def _is_layer(self, node: fx.Node) -> bool:
        value = self.values.get(node)
        if value is None or value.wires:
            return False
        module = self.trace.module(node) if node.op == "call_module" else None
        return kind_of(node, module) is Kind.LAYER

    def _start(self, output: fx.Node) -> None:
        for number, node in enumerate(_tensors(output.args[0])):
            consumer = Consumer(None, number)
            if node in self.values:
                self._add(node, self.values[node].unit_numbers, {consumer: 1})
            for part in self.wiring.several.get(node, ()):
                units = part.unit_numbers
                self._hand_on(part, {b"": (units, {consumer: 1})})

    def _add(self, node: fx.Node, carried: Carried, consumers: dict[Consumer, int]) -> None:
        carried = np.ascontiguousarray(carried)
        _, known = self.arrivals[node].setdefault(carried.tobytes(), (carried, {}))
        for consumer, count in consumers.items():
            known[consumer] = known.get(consumer, 0) + count

    def _hand_on(self, value: Value, arrivals: _Arrivals) -> None:
        for wire in value.wires:
            for carried, consumers in arrivals.values():
                handed = _through(wire, carried, self.values[wire.source].units)
                if (handed >= 0).any():
                    self._add(wire.source, handed, consumers)

    def _hand_to_input(self, node: fx.Node, layer: Layer) -> None:
        source = node.args[0] if node.args else node.kwargs["input"]
        assert isinstance(source, fx.Node)
        value = self.values.get(source)
        if value is None:
            return
        channel_dim = layer_channel_dim(node, self.trace)
        if channel_dim != 1:
            channel_dim = len(value.units) - 1
        if any(dim != channel_dim for dim in value.channel_dims):
            raise UserError(
                f"{type(self.trace.network).__name__}: {layer.name}: its input keeps channels apart"
                f" along dimensions {list(value.channel_dims)}; expected {channel_dim} only"
            )
        inputs = np.arange(layer.in_channels, dtype=np.int64)
        for number, part in enumerate(layer.parts):
            in_group = part.reshape(layer.groups, -1)[:, 0]
            entered = in_group.repeat(layer.in_channels // layer.groups)
            carried = np.where(entered, inputs, -1)
            if value.count == 1:  # one channel, spread over all that the layer takes
                carried = carried[entered][:1]
            self._add(source, carried.reshape(value.units), {Consumer(layer.index, number): 1})

    def _layer(self, node: fx.Node) -> Layer:
        shape = tuple(self.trace.values[node].shape)
        channel_dim = layer_channel_dim(node, self.trace)
        module = self.trace.module(node) if node.op == "call_module" else None
        weight, groups, parameters = _weight(self.trace, node, module)
        transposed = "transpose" in operation_name(node) or getattr(module, "transposed", False)
        arrivals = tuple(_gather(self.arrivals.pop(node, {})))
        return Layer(
            index=self.index[node],
            name=_layer_name(node, self.order),
            kind=operation_name(node) if module is None else type(module).__name__,
            in_channels=weight[0] if transposed else weight[1] * groups,
            out_channels=shape[channel_dim],
            groups=groups,
            position=shape[2:] if channel_dim == 1 else (),
            parameters=parameters,
            arrivals=arrivals,
            parts=_parts(arrivals, groups, shape[channel_dim]),
        )


def _gather(arrived: _Arrivals) -> Iterator[Arrival]:
    """What arrives at a layer, consumer by consumer.

    Yields:
        One arrival for each consumer.
    """
    by_consumer: dict[Consumer, list[tuple[Carried, int]]] = defaultdict(list)
    for carried, consumers in arrived.values():
        for consumer, count in consumers.items():
            by_consumer[consumer].append((carried.reshape(-1), count))
    for consumer, several in by_consumer.items():
        routes = sum((carried >= 0) * np.int64(count) for carried, count in several)
        assert isinstance(routes, np.ndarray)
        yield Arrival(consumer, routes, tuple(carried for carried, _ in several))


def _parts(
    arrivals: tuple[Arrival, ...], groups: int, channels: int
) -> tuple[NDArray[np.bool_], ...]:
    """The groups of a convolution that get gradient alike, as masks over output channels."""
    if not arrivals:
        return ()
    table = np.stack([arrival.routes.reshape(groups, -1).max(axis=1) for arrival in arrivals])
    alike: dict[bytes, list[int]] = defaultdict(list)
    for group, column in enumerate(np.ascontiguousarray(table.T)):
        if column.any():
            alike[column.tobytes()].append(group)
    of_channel = np.arange(channels) // (channels // groups)
    return tuple(np.isin(of_channel, members) for members in alike.values())


def _through(wire: Wire, carried: Carried, units: tuple[int, ...]) -> Carried:
    """Carry an array backwards along a wire; the lowest channel where several meet in one unit."""
    if wire.unit.size == carried.size == int(np.prod(units)) and _in_order(wire.unit):
        return carried.reshape(units)
    unit = np.broadcast_to(wire.unit, carried.shape)
    valid = (carried >= 0) & (unit >= 0)
    nowhere = np.iinfo(np.int64).max
    handed = np.full(int(np.prod(units)), nowhere, dtype=np.int64)
    np.minimum.at(handed, unit[valid], carried[valid])
    handed[handed == nowhere] = -1
    return handed.reshape(units)


def _in_order(unit: Carried) -> bool:
    return bool((unit.reshape(-1) == np.arange(unit.size)).all())


def _tensors(argument: Any) -> Iterator[fx.Node]:
    """The values in an output: also inside the dataclass or named tuple that holds them.

    Yields:
        Each value once, in the order of the output.
    """
    found: list[fx.Node] = []
    fx.map_arg(argument, found.append)
    for node in found:
        if isinstance(node.target, type):
            yield from _tensors((node.args, node.kwargs))
        else:
            yield node


def _weight(
    trace: Trace, node: fx.Node, module: nn.Module | None
) -> tuple[tuple[int, ...], int, int]:
    """Shape of the weight, groups, and number of parameters of a layer."""
    if module is not None:
        weight = module.weight
        assert isinstance(weight, Tensor)
        count = sum(parameter.numel() for parameter in module.parameters())
        return tuple(weight.shape), int(getattr(module, "groups", 1)), count
    argument = node.args[1] if len(node.args) > 1 else node.kwargs["weight"]
    shape = tuple(trace.values[argument].shape)  # type: ignore[index]
    groups = node.kwargs.get("groups", node.args[6] if len(node.args) > 6 else 1)
    return shape, int(groups), int(np.prod(shape))  # type: ignore[arg-type]


def _layer_name(node: fx.Node, order: list[fx.Node]) -> str:
    """The qualified name of the layer; "name@2" for the second use of a shared module."""
    if node.op != "call_module":
        return str(node.name)
    uses = [other for other in order if other.op == "call_module" and other.target == node.target]
    number = uses.index(node) + 1
    return str(node.target) if number == 1 else f"{node.target}@{number}"
