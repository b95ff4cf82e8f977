"""Every shipped model: counts are exact, quick to get, and say what the paper says."""

from __future__ import annotations

import resource
import sys
import time
from functools import cache
from pathlib import Path

import pytest

from tests.analysis.path_oracles import PRIME, evaluate_modulo
from yolor_gp.analysis.paths.gradient_paths import analyse
from yolor_gp.analysis.paths.graph import read_graph
from yolor_gp.analysis.paths.network_sources import open_network
from yolor_gp.analysis.paths.path_results import NetworkPaths
from yolor_gp.config.shipped import shipped_files

# "model" takes in the paper's rows and the classifiers. By default one of each kind runs: paths do
# not depend on widths.
QUICK = ("yolor-csp-n", "yolor-elan-n", "yolor-prn", "resnet34-prn")
FILES = [
    pytest.param(file, id=file.stem, marks=() if file.stem in QUICK else pytest.mark.slow)
    for file in shipped_files("model")
]


@cache
def paths_of(file: str) -> NetworkPaths:
    source = open_network(file)
    graph = read_graph(source.network, source.example, name=source.name, entry=source.entry)
    return analyse(graph)


@pytest.mark.parametrize("file", FILES)
def test_counts_agree_modulo_a_prime(file: Path) -> None:
    z = 1234567891234567
    counted = [
        sum(count * pow(z, length, PRIME) for length, count in layer.paths_by_length.items())
        % PRIME
        for layer in paths_of(str(file)).layers
    ]
    source = open_network(str(file))
    assert counted == evaluate_modulo(source.network, z, entry=source.entry)
    assert all(counted)  # gradient reaches every layer


def test_a_large_network_takes_seconds_and_little_memory() -> None:
    # Resident memory of the whole process, torch included; other tests ran before this one.
    start = time.process_time()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    source = open_network("table8-yolov5x-seg")
    analyse(read_graph(source.network, source.example, entry=source.entry))
    assert time.process_time() - start < 10
    if sys.platform == "linux":  # in kilobytes there
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


def statistics(name: str) -> tuple[int, int, int]:
    total = paths_of(name).total
    assert total.longest_shortest is not None and total.longest is not None
    return total.longest_shortest, total.longest, total.combinations


def test_a_masked_residual_adds_combinations_and_nothing_else() -> None:
    base, masked = statistics("table5-yolor-v3"), statistics("table5-yolor-prn")
    assert masked[2] > base[2]
    assert masked[:2] == base[:2]


def test_cross_stage_partial_adds_combinations() -> None:
    assert statistics("table6-csp-fusion")[2] > statistics("table5-yolor-v3")[2]


def test_each_transition_that_is_left_out_shortens_what_it_stood_in() -> None:
    both = statistics("table6-csp-fusion")
    first, last = statistics("table6-csp-fusion-first"), statistics("table6-csp-fusion-last")
    none = statistics("table6-csp-no-fusion")
    # Four stages, one transition less in each: the longest path loses four layers.
    assert (both[1] - first[1], both[1] - last[1], both[1] - none[1]) == (4, 4, 8)
    # Without the transition after the concatenation every layer of a stage is one step nearer.
    assert last[0] < both[0] == first[0]


def test_stopping_the_identity_doubles_the_longest_shortest_path() -> None:
    base, block, identity = (
        statistics(name)
        for name in ("table3-yolor-csp", "table3-stop-gradient-a", "table3-stop-gradient-b")
    )
    assert identity[0] == 2 * base[0]  # no shortcut past the residual blocks
    assert identity[1] == base[1]
    assert block[0] == base[0]
    assert block[1] < base[1]  # no way through the residual blocks
    assert block[2] < base[2]
