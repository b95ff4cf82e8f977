"""Weights carried to a network that is wired alike, whatever its layers are called.

Both networks are traced. What a convolution reads is described channel by channel: from which
convolution a channel comes, and through which pooling or enlarging; where maps are added, the later
convolution counts. A convolution of one network then stands for one of the other when shape, stride
and groups agree and its channels come from convolutions that stand for one another, in any order
(the kernels are put into the other order). Where several would do, as the two entrances of a CSP
stage, the one whose surroundings downstream agree further is taken.
"""

from __future__ import annotations

import operator
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from yolor_gp.models.blocks.conv import Conv
from yolor_gp.models.heads.anchor_head import AnchorHead
from yolor_gp.models.network import DetectionNetwork, Trunk

_ROUNDS = 8
_IMAGE = -1
Channels = NDArray[np.int64]
"""i64[C, 3]: of each channel the convolution it comes from, which channel of it, through what."""


@dataclass
class _Convolution:
    """One `Conv` of a traced network."""

    number: int
    name: str
    module: Conv
    reads: Channels

    @property
    def shape(self) -> tuple[int, ...]:
        conv = self.module.conv
        return (conv.in_channels, conv.out_channels, *conv.kernel_size, *conv.stride, conv.groups)


@dataclass(frozen=True)
class _Wiring:
    """The convolutions of a network in the order they run, and what its head reads."""

    convolutions: tuple[_Convolution, ...]
    levels: tuple[Channels, ...]


@dataclass(frozen=True)
class WiringReport:
    """What became of the convolutions.

    Attributes:
        taken: (name in the source, name here) of each that was carried.
        given: How many the source has, its head's left out.
        wanted: How many this network has, its head's left out.
        other_activations: How many of the taken are followed by another function here.
        levels: How many levels of the head were carried.
        all_levels: How many the source's head has.
        fresh: Names of the convolutions here that were not carried.
    """

    taken: tuple[tuple[str, str], ...]
    given: int
    wanted: int
    other_activations: int
    levels: int
    all_levels: int
    fresh: tuple[str, ...]

    @property
    def summary(self) -> str:
        """One line."""
        text = f"{len(self.taken)} of {self.given} convolutions along the wiring"
        if self.all_levels:
            text += f", {self.levels} of {self.all_levels} levels of the head"
        if self.other_activations:
            text += f"; {self.other_activations} have another activation here"
        if self.fresh:
            text += f"; {len(self.fresh)} of {self.wanted} here start fresh"
        return text

    def __str__(self) -> str:
        lines = [self.summary]
        lines += [f"{here} <- {there}" for there, here in self.taken]
        lines += [f"{name}: starts fresh" for name in self.fresh]
        return "\n".join(lines)


def carried_along_wiring(
    tensors: Mapping[str, Tensor], source: Trunk, network: Trunk
) -> tuple[dict[str, Tensor], WiringReport]:
    """The tensors of `source`'s wiring by the names of `network`.

    Args:
        tensors: Of `source`, by its names; some may be missing (a partial file).
        source: The network they belong to, which may be on the meta device.
        network: The one to fill; it is only looked at.

    Returns:
        Tensors in `network`'s shapes, those of the head in the source's; and what was found.
    """
    theirs, ours = _traced(source), _traced(network)
    match = _matched(theirs, ours)
    carried: dict[str, Tensor] = {}
    taken, others = [], 0
    for own, (other, order) in match.items():
        mine = ours.convolutions[own]
        given = theirs.convolutions[other]
        if f"{given.name}.conv.weight" not in tensors:
            continue
        for name in given.module.state_dict():
            if f"{given.name}.{name}" in tensors:
                carried[f"{mine.name}.{name}"] = tensors[f"{given.name}.{name}"]
        weight = carried[f"{mine.name}.conv.weight"]
        if order is not None:
            carried[f"{mine.name}.conv.weight"] = weight[:, torch.from_numpy(order)]
        taken.append((given.name, mine.name))
        others += str(given.module.activation) != str(mine.module.activation)
    levels = _head(tensors, source, network, theirs, ours, match)
    carried |= levels
    done = {here for _, here in taken}
    report = WiringReport(
        taken=tuple(taken),
        given=len(theirs.convolutions),
        wanted=len(ours.convolutions),
        other_activations=others,
        levels=sum(name.endswith("conv.weight") for name in levels),
        all_levels=len(theirs.levels) if isinstance(source, DetectionNetwork) else 0,
        fresh=tuple(one.name for one in ours.convolutions if one.name not in done),
    )
    return carried, report


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, Conv) or super().is_leaf_module(m, module_qualified_name)


def _traced(network: Trunk) -> _Wiring:
    tracer = _Tracer()
    tracer.traced_func_name = "features"
    graph = tracer.trace(network)
    return _Follower(network).follow(graph)


class _Follower:
    """Runs a graph on channels instead of numbers."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.found: list[_Convolution] = []
        self.unknown = -2

    def follow(self, graph: fx.Graph) -> _Wiring:
        values: dict[fx.Node, Any] = {}
        result: Any = ()
        for node in graph.nodes:
            arguments = fx.node.map_arg(node.args, values.__getitem__)
            if node.op == "output":
                result = arguments[0]
            else:
                values[node] = self._value(node, arguments)
        levels = result if isinstance(result, list | tuple) else [result]
        return _Wiring(tuple(self.found), tuple(levels))

    def _value(self, node: fx.Node, arguments: Sequence[Any]) -> Any:
        if node.op == "placeholder":
            return _channels(_IMAGE, 3)
        if node.op == "call_module":
            return self._module(str(node.target), arguments[0])
        if node.op == "call_function" and node.target is torch.cat:
            return np.concatenate(arguments[0])
        if node.target in (operator.add, torch.add):
            return self._sum(arguments[0], arguments[1])
        if node.target is operator.getitem and isinstance(arguments[0], np.ndarray):
            index = arguments[1]
            return arguments[0][index[1]] if isinstance(index, tuple) else self._new(arguments[0])
        if node.target in (operator.getitem, getattr):
            return arguments[0]
        if node.op == "call_method" and node.target in ("detach", "contiguous"):
            return arguments[0]
        arrays = [value for value in arguments if isinstance(value, np.ndarray)]
        return self._new(arrays[0]) if arrays else None

    def _module(self, name: str, x: Channels) -> Channels:
        module = self.network.get_submodule(name)
        if isinstance(module, Conv):
            number = len(self.found)
            self.found.append(_Convolution(number, name, module, x))
            return _channels(number, module.out_channels)
        if isinstance(module, nn.Identity | nn.Dropout | nn.Dropout2d):
            return x
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            self.unknown -= 1
            return _channels(self.unknown, module.out_channels)
        changed, words = x.copy(), str(module)
        for way in np.unique(x[:, 2]).tolist():
            # The same number for the same way in both networks.
            changed[x[:, 2] == way, 2] = zlib.crc32(f"{way} {words}".encode())
        return changed

    def _sum(self, first: Any, second: Any) -> Any:
        if not (isinstance(first, np.ndarray) and isinstance(second, np.ndarray)):
            return first if isinstance(first, np.ndarray) else second
        later = first[:, :1] >= second[:, :1]
        return np.where(later, first, second)

    def _new(self, like: Channels) -> Channels:
        """What an operation gives that is not known here: nothing stands for it."""
        self.unknown -= 1
        return _channels(self.unknown, len(like))


def _channels(number: int, count: int) -> Channels:
    rows = np.zeros((count, 3), np.int64)
    rows[:, 0], rows[:, 1] = number, np.arange(count)
    return rows


def _matched(theirs: _Wiring, ours: _Wiring) -> dict[int, tuple[int, NDArray[np.int64] | None]]:
    """For convolutions of ours, the one of theirs and the order of its input channels."""
    by_shape: dict[tuple[int, ...], list[_Convolution]] = defaultdict(list)
    for one in theirs.convolutions:
        by_shape[one.shape].append(one)
    their_future, our_future = _futures(theirs), _futures(ours)
    match: dict[int, tuple[int, NDArray[np.int64] | None]] = {}
    used: set[int] = set()
    for mine in ours.convolutions:
        reads = _translated(mine.reads, match)
        if reads is None:
            continue
        best: tuple[int, int, NDArray[np.int64] | None] | None = None
        for other in by_shape[mine.shape]:
            if other.number in used:
                continue
            order = _order(other.reads, reads)
            if order is None:
                continue
            plain = bool((order == np.arange(len(order))).all())
            if not plain and mine.module.conv.groups > 1:
                continue
            depth = _agreement(their_future, our_future, other.number, mine.number)
            if best is None or depth > best[0]:
                best = (depth, other.number, None if plain else order)
        if best is not None:
            match[mine.number] = best[1], best[2]
            used.add(best[1])
    return match


def _translated(
    reads: Channels, match: Mapping[int, tuple[int, NDArray[np.int64] | None]]
) -> Channels | None:
    """Our channels in their numbers; None where one comes from what has no counterpart."""
    numbers = [number for number in np.unique(reads[:, 0]).tolist() if number != _IMAGE]
    if any(number not in match for number in numbers):
        return None
    renamed = reads.copy()
    for number in numbers:
        renamed[reads[:, 0] == number, 0] = match[number][0]
    return renamed


def _order(theirs: Channels, ours: Channels) -> NDArray[np.int64] | None:
    """Which of their channels each of ours is, i64[C]; None when they are not the same channels."""
    if len(theirs) != len(ours):
        return None
    their_sort, our_sort = _sorted(theirs), _sorted(ours)
    if not np.array_equal(theirs[their_sort], ours[our_sort]):
        return None
    order = np.empty(len(ours), np.int64)
    order[our_sort] = their_sort
    return order


def _sorted(channels: Channels) -> NDArray[np.int64]:
    return np.lexsort((channels[:, 2], channels[:, 1], channels[:, 0]))


def _futures(wiring: _Wiring) -> list[list[int]]:
    """Per round, of every convolution a hash of what lies downstream within as many steps."""
    readers: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for one in wiring.convolutions:
        for number in np.unique(one.reads[:, 0]).tolist():
            first = int(np.argmax(one.reads[:, 0] == number))
            readers[number].append((one.number, first))
    rounds = [[hash(one.shape) for one in wiring.convolutions]]
    for _ in range(_ROUNDS):
        last = rounds[-1]
        rounds.append([
            hash((last[one.number], tuple(sorted(last[r] for r, _ in readers[one.number]))))
            for one in wiring.convolutions
        ])  # fmt: skip
    return rounds


def _agreement(
    theirs: Sequence[Sequence[int]], ours: Sequence[Sequence[int]], other: int, mine: int
) -> int:
    rounds = zip(theirs, ours, strict=True)
    return sum(their[other] == our[mine] for their, our in rounds)


def _head(
    tensors: Mapping[str, Tensor],
    source: Trunk,
    network: Trunk,
    theirs: _Wiring,
    ours: _Wiring,
    match: Mapping[int, tuple[int, NDArray[np.int64] | None]],
) -> dict[str, Tensor]:
    """The levels' convolutions, whose rows are still the source's."""
    if not (isinstance(source, DetectionNetwork) and isinstance(network, DetectionNetwork)):
        return {}
    if not (isinstance(source.head, AnchorHead) and isinstance(network.head, AnchorHead)):
        return {}
    carried: dict[str, Tensor] = {}
    for mine, reads in enumerate(ours.levels):
        translated = _translated(reads, match)
        for other, given in enumerate(theirs.levels):
            order = None if translated is None else _order(given, translated)
            same = source.strides[other] == network.strides[mine]
            weight = tensors.get(f"head.levels.{other}.conv.weight")
            if order is None or not same or weight is None:
                continue
            carried[f"head.levels.{mine}.conv.weight"] = weight[:, torch.from_numpy(order)]
            bias = tensors[f"head.levels.{other}.conv.bias"]
            carried[f"head.levels.{mine}.conv.bias"] = bias
    return carried
