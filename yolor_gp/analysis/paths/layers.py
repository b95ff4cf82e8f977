"""A weighted layer, and the gradient that arrives at it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Carried = NDArray[np.int64]


@dataclass(frozen=True)
class Consumer:
    """Where gradient comes from: an input of a layer, or a network output (`layer` None).

    part: the number of the output; or, for a grouped convolution whose groups get gradient from
    different places, the number of the part (see `Layer.parts`).
    """

    layer: int | None
    part: int = 0


@dataclass(frozen=True)
class Arrival:
    """Gradient arriving at a layer's output from one consumer.

    routes: i64[out_channels], how often the consumer takes each channel; carried: arrays
    i64[out_channels], the input channel of the consumer that each channel feeds, -1 for none.
    """

    consumer: Consumer
    routes: NDArray[np.int64]
    carried: tuple[Carried, ...]


@dataclass(frozen=True)
class Layer:
    """A weighted layer. `position`: height and width of its output, () for vectors.

    parts: for a grouped convolution the groups that get gradient alike, as boolean arrays over the
    output channels; such parts stand side by side, as if each were a layer. One part otherwise.
    """

    index: int
    name: str
    kind: str
    in_channels: int
    out_channels: int
    groups: int
    position: tuple[int, ...]
    parameters: int
    arrivals: tuple[Arrival, ...]
    parts: tuple[NDArray[np.bool_], ...]
