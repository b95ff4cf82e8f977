"""Deeper and deeper stages: whose longest shortest gradient path grows ([GP] 2.4 and 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from yolor_gp.analysis.paths.gradient_paths import analyse
from yolor_gp.analysis.paths.graph import read_graph
from yolor_gp.analysis.paths.path_results import NetworkPaths
from yolor_gp.analysis.paths.text_table import text_table
from yolor_gp.models.blocks.elan import ELAN
from yolor_gp.models.blocks.osa import OSA, OSAStage

_WIDTH = 16
MODULES = (1, 2, 3, 4, 6, 9, 12)

# Each builds a stage of n computational units; 9 is the depth of VoVNet-99's third stage.
STAGES: Mapping[str, Callable[[int], nn.Module]] = {
    "VoVNet: OSA modules in a row": lambda n: nn.Sequential(
        *(OSA(_WIDTH, _WIDTH, _WIDTH) for _ in range(n))
    ),
    "VoVNetV2: the same with shortcuts": lambda n: nn.Sequential(
        *(OSA(_WIDTH, _WIDTH, _WIDTH, shortcut=True) for _ in range(n))
    ),
    "VoVNet + ELAN: one transition a stage": lambda n: OSAStage(_WIDTH, _WIDTH, _WIDTH, modules=n),
    "ELAN: one block, longer chain": lambda n: ELAN(_WIDTH, _WIDTH, _WIDTH, stack=2, depth=2 * n),
    "ELAN: blocks of 2 x 2 in a row": lambda n: nn.Sequential(
        *(ELAN(_WIDTH, _WIDTH, _WIDTH, stack=2, depth=4) for _ in range(n))
    ),
}


def stage_paths(name: str, modules: int) -> NetworkPaths:
    """The stage between a 3x3 stem and a 1x1 output layer."""
    with torch.device("meta"):
        network = nn.Sequential(
            nn.Conv2d(3, _WIDTH, 3, padding=1),
            STAGES[name](modules),
            nn.Conv2d(_WIDTH, _WIDTH, 1),
        )
    return analyse(read_graph(network, torch.empty(2, 3, 16, 16, device="meta"), name=name))


def stacking_table(modules: Sequence[int] = MODULES) -> str:
    """Longest shortest path (and longest path) of every kind of stage at every depth."""
    rows = []
    for name in STAGES:
        totals = [stage_paths(name, number).total for number in modules]
        rows.append([name, *(f"{total.longest_shortest} ({total.longest})" for total in totals)])
    header = ["longest shortest path (longest path)", *(f"n={number}" for number in modules)]
    return text_table(header, rows)
