"""Table 1 of [GP] measured: how parameters, paths and aggregation grow with depth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from yolor_gp.analysis.paths.gradient_paths import analyse
from yolor_gp.analysis.paths.graph import read_graph
from yolor_gp.analysis.paths.reference_networks import KINDS, AggregationNetwork
from yolor_gp.analysis.paths.text_table import text_table

ORDERS: Mapping[str, Callable[[float], float]] = {
    "O(1)": lambda n: 0.0,
    "O(log N)": lambda n: math.log2(n),
    "O(N)": lambda n: n,
    "O(N log N)": lambda n: n * math.log2(n),
    "O(N^2)": lambda n: n * n,
}
DEPTHS = (4, 6, 8, 12, 16, 24, 32, 48, 64)

# [GP] Table 1: parameters, shortest gradient path, features aggregated at layer l.
PUBLISHED = {
    "PlainNet": ("O(N)", "O(N)", "O(1)"),
    "ResNet": ("O(N)", "O(1)", "O(N)"),
    "DenseNet": ("O(N^2)", "O(1)", "O(N)"),
    "Sparse ResNet": ("O(N)", "O(log N)", "O(log N)"),
    "Sparse DenseNet": ("O(N log N)", "O(log N)", "O(log N)"),
}


@dataclass(frozen=True)
class Growth:
    """One kind of network at every depth, and the orders of growth that fit best.

    parameters: of all convolutions; shortest: the longest of the layers' shortest gradient paths;
    aggregated: how many layers' features the deepest layer takes.
    """

    kind: str
    depths: tuple[int, ...]
    parameters: tuple[int, ...]
    shortest: tuple[int, ...]
    aggregated: tuple[int, ...]

    @property
    def orders(self) -> tuple[str, str, str]:
        """Fitted orders of parameters, shortest path and aggregated features."""
        return (
            fit_order(self.depths, self.parameters),
            fit_order(self.depths, self.shortest),
            fit_order(self.depths, self.aggregated),
        )


def measure_growth(kind: str, depths: Sequence[int] = DEPTHS) -> Growth:
    """Build `kind` at every depth on the meta device and count."""
    parameters, shortest, aggregated = [], [], []
    example = torch.empty(2, 3, 8, 8, device="meta")
    for depth in depths:
        with torch.device("meta"):
            network = AggregationNetwork(kind, depth)
        paths = analyse(read_graph(network, example))
        parameters.append(sum(paths.layer.parameters for paths in paths.layers))
        shortest.append(paths.total.longest_shortest or 0)
        deepest = f"layers.{depth - 1}"
        takers = {
            layer.layer.index
            for layer in paths.layers
            for group in layer.groups
            for source in group.sources
            if source.layer is not None and paths.layers[source.layer].layer.name == deepest
        }
        aggregated.append(len(takers))
    return Growth(kind, tuple(depths), tuple(parameters), tuple(shortest), tuple(aggregated))


def fit_order(depths: Sequence[int], values: Sequence[int]) -> str:
    """The order of growth whose a + b * f(N), b >= 0, leaves the smallest squares.

    Residuals are relative to the values, so that deep networks do not decide alone. An order is
    only preferred to a slower one when it leaves less than nine tenths of its residual: a constant
    is also a straight line of slope zero.
    """
    best, best_residual = "O(1)", math.inf
    for name, order in ORDERS.items():
        residual = _residual([order(n) for n in depths], values)
        if residual < 0.9 * best_residual - 1e-12:
            best, best_residual = name, residual
    return best


def _residual(growth: Sequence[float], values: Sequence[int]) -> float:
    target = np.asarray(values, dtype=np.float64)
    columns = np.stack([np.ones(len(target)), np.asarray(growth)], axis=1) / target[:, None]
    if not np.any(growth):
        columns = columns[:, :1]
    solution, *_ = np.linalg.lstsq(columns, np.ones(len(target)), rcond=None)
    if len(solution) == 2 and solution[1] < 0:
        return math.inf
    return float(np.square(columns @ solution - 1).sum())


def growth_table(growths: Sequence[Growth]) -> str:
    """What was counted at every depth, then fitted orders beside the paper's."""
    blocks = []
    for growth in growths:
        rows = [
            ["parameters", *map(str, growth.parameters)],
            ["shortest path", *map(str, growth.shortest)],
            ["aggregated", *map(str, growth.aggregated)],
        ]
        header = [growth.kind, *(f"N={depth}" for depth in growth.depths)]
        blocks.append(text_table(header, rows))
    rows = []
    for growth in growths:
        cells = [growth.kind]
        for fitted, published in zip(growth.orders, PUBLISHED[growth.kind], strict=True):
            cells += [fitted, published, "=" if fitted == published else "differs"]
        rows.append(cells)
    header = ["fitted | [GP] Table 1"]
    for what in ("parameters", "shortest path", "aggregated"):
        header += [what, "paper", ""]
    return "\n\n".join([*blocks, text_table(header, rows)])


def all_growths() -> list[Growth]:
    """Every row of Table 1."""
    return [measure_growth(kind) for kind in KINDS]
