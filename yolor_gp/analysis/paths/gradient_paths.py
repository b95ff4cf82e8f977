"""Gradient paths of a network: lengths, counts, timestamps, sources, combinations [GP 2.2-2.4].

The definitions, with examples to check by hand, stand in docs/gradient-paths.md. The number of
paths by length is a polynomial in z whose coefficient at z^t counts the paths of t layers. All
coefficients of one polynomial are packed into a single Python integer (z = 2^width, wide enough for
the largest count), so adding polynomials is adding integers: exact, and fast at any depth.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from yolor_gp.analysis.paths.graph import GradientGraph
from yolor_gp.analysis.paths.layers import Arrival, Consumer, Layer
from yolor_gp.analysis.paths.path_results import (
    GroupPaths,
    Intervals,
    LayerPaths,
    NetworkPaths,
    Source,
)


def analyse(graph: GradientGraph) -> NetworkPaths:
    """Count the gradient paths of every layer and channel group of `graph`."""
    width = max(max(_Totals(graph, 0).of_layer), 1).bit_length()
    packed = _Totals(graph, width)
    steps = {
        consumer: tuple(_unpack(value, width)) for consumer, value in packed.of_consumer.items()
    }
    return NetworkPaths(
        graph,
        tuple(
            LayerPaths(
                layer,
                _unpack(packed.of_layer[layer.index], width),
                tuple(_groups(layer, packed, steps)),
            )
            for layer in graph.layers
        ),
    )


class _Totals:
    """The path polynomial of every layer and consumer at z = 2^width (width 0: z = 1)."""

    def __init__(self, graph: GradientGraph, width: int) -> None:
        self.width = width
        self.of_layer = [0] * len(graph.layers)
        self.of_consumer: dict[Consumer, int] = {}
        for layer in reversed(graph.layers):
            for arrival in layer.arrivals:
                if arrival.consumer.layer is None:
                    self.of_consumer[arrival.consumer] = 1
            for number, part in enumerate(layer.parts):
                self.of_consumer[Consumer(layer.index, number)] = self.reaching(layer, part)
            self.of_layer[layer.index] = self.reaching(layer, np.ones(layer.out_channels, bool))

    def reaching(self, layer: Layer, channels: NDArray[np.bool_]) -> int:
        """The polynomial of some of a layer's channels together.

        A consumer that takes different channels on different routes is one connection; it is
        several only as often as one and the same channel is taken.
        """
        total = sum(
            int(arrival.routes[channels].max()) * self.of_consumer[arrival.consumer]
            for arrival in layer.arrivals
        )
        return total << self.width


def _unpack(packed: int, width: int) -> dict[int, int]:
    """Coefficients of z^0, z^1, ... that are not zero, from a polynomial at z = 2^width."""
    digits = {}
    mask = (1 << width) - 1
    text = packed
    size = (packed.bit_length() + width - 1) // width
    # Halving keeps the integers short; taking digit after digit would be quadratic.
    stack = [(text, 0, size)]
    while stack:
        value, low, length = stack.pop()
        if value == 0:
            continue
        if length <= 1:
            digits[low] = value & mask
            continue
        half = length // 2
        stack.append((value >> (half * width), low + half, length - half))
        stack.append((value & ((1 << (half * width)) - 1), low, half))
    return dict(sorted(digits.items()))


def _groups(
    layer: Layer, packed: _Totals, steps: Mapping[Consumer, Sequence[int]]
) -> Iterable[GroupPaths]:
    for channels in _channel_groups(layer):
        inside = np.zeros(layer.out_channels, dtype=bool)
        inside[channels] = True
        yield GroupPaths(
            _intervals(channels),
            _unpack(packed.reaching(layer, inside), packed.width),
            tuple(
                _source(arrival, channels, steps[arrival.consumer])
                for arrival in sorted(layer.arrivals, key=_order)
                if arrival.routes[channels[0]]
            ),
        )


def _order(arrival: Arrival) -> tuple[bool, int, int]:
    """Layers as they run, then outputs."""
    consumer = arrival.consumer
    return consumer.layer is None, consumer.layer or 0, consumer.part


def _channel_groups(layer: Layer) -> list[NDArray[np.int64]]:
    """Output channels that the same consumers take, equally often."""
    if not layer.arrivals:
        return [np.arange(layer.out_channels)]
    table = np.stack([arrival.routes for arrival in layer.arrivals])
    groups: dict[bytes, list[int]] = defaultdict(list)
    for channel, column in enumerate(np.ascontiguousarray(table.T)):
        groups[column.tobytes()].append(channel)
    return [np.array(channels) for channels in groups.values()]


def _source(arrival: Arrival, channels: NDArray[np.int64], steps: Sequence[int]) -> Source:
    fed = np.unique(np.concatenate([carried[channels] for carried in arrival.carried]))
    at_output = arrival.consumer.layer is None
    return Source(
        layer=arrival.consumer.layer,
        output=arrival.consumer.part if at_output else None,
        channels=_intervals(fed[fed >= 0]),
        timestamps=tuple(step + 1 for step in steps),
        routes=int(arrival.routes[channels[0]]),
    )


def _intervals(channels: NDArray[np.int64]) -> Intervals:
    """Sorted channels as half-open intervals."""
    if channels.size == 0:
        return ()
    breaks = np.flatnonzero(np.diff(channels) > 1) + 1
    return tuple((int(run[0]), int(run[-1]) + 1) for run in np.split(channels, breaks))
