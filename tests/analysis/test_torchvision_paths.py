"""Networks of torchvision: known figures, and an independent count."""

from __future__ import annotations

import pytest
import torch
import torchvision

from tests.analysis.path_oracles import PRIME, evaluate_modulo
from yolor_gp.analysis.paths.gradient_paths import analyse
from yolor_gp.analysis.paths.graph import read_graph


@pytest.mark.parametrize(
    ("name", "longest_shortest", "longest", "paths"),
    [
        ("resnet50", 7, 50, 2**16),  # 16 blocks, each passed or skipped
        ("densenet121", 6, 121, 2**58),  # 58 dense layers, each on the path or not
        ("resnext50_32x4d", 7, 50, 2**16),
        ("vgg11", 11, 11, 1),
    ],
)
def test_known_figures(name: str, longest_shortest: int, longest: int, paths: int) -> None:
    with torch.device("meta"):
        network = getattr(torchvision.models, name)()
    total = analyse(read_graph(network, torch.empty(2, 3, 64, 64)))
    assert (total.total.longest_shortest, total.total.longest) == (longest_shortest, longest)
    assert sum(total.layers[0].paths_by_length.values()) == paths


@pytest.mark.parametrize("name", ["resnet18", "shufflenet_v2_x0_5", "mobilenet_v2"])
def test_counts_agree_modulo_a_prime(name: str) -> None:
    check_modulo(name)


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "resnext50_32x4d"])
def test_large_counts_agree_modulo_a_prime(name: str) -> None:
    check_modulo(name)


def check_modulo(name: str) -> None:
    with torch.device("meta"):
        network = getattr(torchvision.models, name)()
    paths = analyse(read_graph(network, torch.empty(2, 3, 64, 64)))
    z = 987654321987654321
    counted = [
        sum(count * pow(z, length, PRIME) for length, count in layer.paths_by_length.items())
        % PRIME
        for layer in paths.layers
    ]
    assert counted == evaluate_modulo(network, z)
