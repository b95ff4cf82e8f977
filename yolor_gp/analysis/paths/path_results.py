"""What is known of a network's gradient paths: per channel group, layer, stage and network.

The definitions, with examples to check by hand, stand in docs/gradient-paths.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from yolor_gp.analysis.paths.graph import GradientGraph
from yolor_gp.analysis.paths.layers import Layer

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


def count_combinations(layers: Iterable[LayerPaths]) -> int:
    """Distinct gradient combinations among the channel groups of `layers`."""
    return len(
        {group.combination for paths in layers for group in paths.groups if group.paths_by_length}
    )


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
