"""The network as gradient sees it: weighted layers, and which channels hand gradient to which."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from yolor_gp.analysis.paths.backward import read_layers
from yolor_gp.analysis.paths.layers import Layer
from yolor_gp.analysis.paths.trace import trace_network
from yolor_gp.errors import UserError


@dataclass(frozen=True)
class GradientGraph:
    """The layers of a network in the order they run, each with what arrives at it."""

    name: str
    layers: tuple[Layer, ...]
    input_position: tuple[int, ...]


def read_graph(
    network: nn.Module, example: Tensor, *, name: str | None = None, entry: str = "forward"
) -> GradientGraph:
    """The gradient graph of `network` for inputs like `example` (see `trace_network`).

    Raises:
        UserError: When the network cannot be traced, an operation cannot be read, or no layer has
            weights.
    """
    trace = trace_network(network, example, entry=entry)
    layers = read_layers(trace)
    if not layers:
        raise UserError(f"{type(network).__name__}: no weighted layer (convolution or linear)")
    return GradientGraph(name or type(network).__name__, layers, tuple(example.shape[2:]))
