"""Which channel of which earlier value every channel of a value comes from.

A *unit* of a value is one index along the dimensions that tell channels apart (its channel
dimensions; dimension 1 after a convolution, the last one after a linear layer). A `Wire` maps every
unit of a value to a unit of one earlier value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

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

    @property
    def unit_numbers(self) -> Units:
        """0, 1, 2, ... in the shape of its units."""
        return np.arange(self.count, dtype=np.int64).reshape(self.units)


def numbered(value: Value, shape: Sequence[int], start: int) -> Tensor:
    """f64 tensor of `shape` that holds unit numbers in place of data, counted from `start`."""
    place = torch.arange(start, start + value.count, dtype=torch.float64)
    return place.reshape(value.units).expand(*shape)


def rearranged(
    node: fx.Node,
    values: Mapping[fx.Node, Value],
    results: Mapping[fx.Node, Any],
    call: Callable[[Any, Any], Any],
) -> Value | tuple[Value, ...]:
    """The value of an operation that only moves data, found by running it on unit numbers.

    values: what is known of its inputs; results: tensors (for their shapes) and numbers of the
    trace; call: runs the operation. Nothing (padding, other tensors) has the number 0.
    """
    sources: list[tuple[fx.Node, Value]] = []  # one per use: cat([x, x]) takes x twice
    start = 1

    def argument(other: fx.Node) -> Any:
        nonlocal start
        if other in values:
            numbers = numbered(values[other], results[other].shape, start)
            sources.append((other, values[other]))
            start += values[other].count
            return numbers
        concrete = results[other]
        if isinstance(concrete, Tensor):
            return torch.zeros(concrete.shape, dtype=torch.float64)
        return concrete

    moved = call(fx.map_arg(node.args, argument), fx.map_arg(node.kwargs, argument))
    if isinstance(moved, Tensor):
        return read_back(moved, sources)
    return tuple(read_back(part, sources) for part in moved)


def read_back(moved: Tensor, sources: Sequence[tuple[fx.Node, Value]]) -> Value:
    """Where the unit numbers of `sources` (counted from 1, one after the other) lie in `moved`."""
    found = _without_positions(moved, sources).numpy().astype(np.int64) - 1
    wires = []
    start = 0
    for source, value in sources:
        inside = (found >= start) & (found < start + value.count)
        if inside.any():
            wires.append(Wire(source, np.where(inside, found - start, -1)))
        start += value.count
    return Value(tuple(found.shape), tuple(wires))


def _without_positions(moved: Tensor, sources: Sequence[tuple[fx.Node, Value]]) -> Tensor:
    """Keep one index of every dimension along which nothing changes.

    Height and width may also hold zeros where they were padded.
    """
    for dim in range(moved.ndim):
        if moved.shape[dim] == 1:
            continue
        highest = moved.amax(dim, keepdim=True)
        same = moved == highest
        is_position = dim >= 2 and all(
            len(value.units) == moved.ndim and value.units[dim] == 1 for _, value in sources
        )
        if bool((same | (moved == 0)).all() if is_position else same.all()):
            moved = highest
    return moved
