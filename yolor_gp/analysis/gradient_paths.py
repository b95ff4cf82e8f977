"""Gradient paths of a network: lengths, counts, timestamps, sources, combinations [GP 2.2-2.4].

The definitions, with examples to check by hand, stand in docs/gradient-paths.md. The number of
paths by length is a polynomial in z whose coefficient at z^t counts the paths of t layers. All
coefficients of one polynomial are packed into a single Python integer (z = 2^width, wide enough for
the largest count), so adding polynomials is adding integers: exact, and fast at any depth.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yolor_gp.analysis.graph import Arrival, Consumer, GradientGraph, Layer

Intervals = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Source:
    """Whom gradient comes from: `layer` (None: output number `output`), and its input channels.

    timestamps: the steps at which gradient arrives from it; routes: connections that hand it on.
    """

    layer: int | None
    output: int | None
    channels: Intervals
    timestamps: tuple[int, ...]
    routes: int


@dataclass(frozen=True)
class GroupPaths:
    """Output channels of a layer that receive gradient alike.

    paths_by_length: exact counts, empty when no gradient arrives; its keys are the timestamps.
    """

    channels: Intervals
    paths_by_length: Mapping[int, int]
    sources: tuple[Source, ...]

    @property
    def timestamps(self) -> tuple[int, ...]:
        """The steps at which gradient arrives."""
        return tuple(self.paths_by_length)

    def sources_at(self, timestamp: int) -> tuple[Source, ...]:
        """The sources that gradient comes from at one step."""
        return tuple(source for source in self.sources if timestamp in source.timestamps)

    @property
    def combination(self) -> frozenset[tuple[int, int | None, int | None, Intervals]]:
        """The set of (timestamp, source)."""
        return frozenset(
            (timestamp, source.layer, source.output, source.channels)
            for source in self.sources
            for timestamp in source.timestamps
        )


@dataclass(frozen=True)
class LayerPaths:
    """A layer's paths: those of all its channel groups together, and each group's own."""

    layer: Layer
    paths_by_length: Mapping[int, int]
    groups: tuple[GroupPaths, ...]

    @property
    def shortest(self) -> int | None:
        """Length of its shortest gradient path; None when no gradient reaches it."""
        return min(self.paths_by_length, default=None)

    @property
    def longest(self) -> int | None:
        """Length of its longest gradient path; None when no gradient reaches it."""
        return max(self.paths_by_length, default=None)

    @property
    def combinations(self) -> int:
        """How many distinct gradient combinations its channel groups have."""
        return count_combinations([self])


@dataclass(frozen=True)
class PathStatistics:
    """A stage or network: longest shortest path, longest path, distinct combinations (richness).

    sources: how many different pieces of gradient its channels get; a piece is some input
    channels of one layer, or an output.
    """

    name: str
    layers: int
    longest_shortest: int | None
    longest: int | None
    combinations: int
    sources: int


@dataclass(frozen=True)
class NetworkPaths:
    """All layers of a network in the order they run, with statistics."""

    graph: GradientGraph
    layers: tuple[LayerPaths, ...]

    @property
    def total(self) -> PathStatistics:
        """The whole network's statistics."""
        return _statistics(self.graph.name, self.layers)

    @property
    def stages(self) -> tuple[PathStatistics, ...]:
        """One entry per stride (input height / output height), finest first; vectors last."""
        by_stride: dict[int, list[LayerPaths]] = defaultdict(list)
        for paths in self.layers:
            by_stride[self.stride(paths.layer)].append(paths)
        return tuple(
            _statistics(f"stride {stride}" if stride else "vectors", by_stride[stride])
            for stride in sorted(by_stride, key=lambda stride: stride or 10**9)
        )

    def stride(self, layer: Layer) -> int:
        """Input pixels per output cell of a layer, rounded; 0 for vectors."""
        if set(layer.position) <= {1} or not self.graph.input_position:
            return 0
        return max(round(self.graph.input_position[0] / layer.position[0]), 1)


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


def count_combinations(layers: Iterable[LayerPaths]) -> int:
    """Distinct gradient combinations among the channel groups of `layers`."""
    return len(
        {group.combination for paths in layers for group in paths.groups if group.paths_by_length}
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


def _statistics(name: str, layers: Sequence[LayerPaths]) -> PathStatistics:
    shortest = [paths.shortest for paths in layers if paths.shortest is not None]
    longest = [paths.longest for paths in layers if paths.longest is not None]
    return PathStatistics(
        name,
        len(layers),
        max(shortest, default=None),
        max(longest, default=None),
        count_combinations(layers),
        len(
            {
                (source.layer, source.output, source.channels)
                for paths in layers
                for group in paths.groups
                for source in group.sources
            }
        ),
    )
