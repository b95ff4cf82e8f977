"""Counts are exact: against enumeration, against autograd, against modular arithmetic."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.analysis.path_oracles import (
    PRIME,
    Step,
    StepNetwork,
    enumerate_walks,
    evaluate_modulo,
    gradients_at,
)
from yolor_gp.analysis.paths.gradient_paths import analyse
from yolor_gp.analysis.paths.graph import read_graph
from yolor_gp.analysis.paths.path_results import NetworkPaths
from yolor_gp.analysis.paths.reference_networks import KINDS, AggregationNetwork, ResidualNetwork


def paths_of(network: nn.Module, size: int = 8) -> NetworkPaths:
    first = next(m for m in network.modules() if isinstance(m, nn.Conv2d))
    return analyse(read_graph(network, torch.empty(2, first.in_channels, size, size)))


@st.composite
def step_networks(draw: st.DrawFn, *, single: bool = False) -> StepNetwork:
    """Random networks of up to 12 steps; `single`: every convolution has one output channel."""
    widths = st.just(1) if single else st.integers(1, 4)
    steps = [Step("conv", (0,), (draw(widths), 1))]
    channels = [1, steps[0].numbers[0]]
    for _ in range(draw(st.integers(1, 11))):
        value = draw(st.integers(1, len(channels) - 1))
        width = channels[value]
        name = draw(st.sampled_from(
            ["conv", "conv", "add", "cat", "masked_add", "half", "narrow", "relu", "detach"]
        ))  # fmt: skip
        same = [i for i in range(1, len(channels)) if channels[i] == width]
        other = draw(st.sampled_from(same))
        if name == "conv":
            out = draw(widths)
            groups = draw(st.sampled_from([g for g in (1, 2, 3) if width % g == out % g == 0]))
            steps.append(Step("conv", (value,), (out, groups)))
        elif name == "add":
            out = width
            steps.append(Step("add", (value, other)))
        elif name == "cat":
            second = draw(st.integers(1, len(channels) - 1))
            out = width + channels[second]
            steps.append(Step("cat", (value, second)))
        elif name == "masked_add" and width > 1:
            out = width
            steps.append(Step("masked_add", (value, other), (draw(st.integers(1, width - 1)),)))
        elif name == "half" and width > 1:
            part = draw(st.integers(0, 1))
            out = (width + 1) // 2 if part == 0 else width // 2
            steps.append(Step("half", (value,), (part,)))
        elif name == "narrow" and width > 1:
            start = draw(st.integers(0, width - 1))
            out = draw(st.integers(1, width - start))
            steps.append(Step("narrow", (value,), (start, out)))
        else:
            out = width
            steps.append(Step("detach" if name == "detach" else "relu", (value,)))
        channels.append(out)
    last = len(channels) - 1
    outputs = sorted({last, draw(st.integers(1, last))})
    return StepNetwork(steps, channels, outputs)


@settings(max_examples=150, deadline=None)
@given(step_networks())
def test_random_graphs_count_as_many_paths_as_walking_them(network: StepNetwork) -> None:
    walks = enumerate_walks(network)
    paths = paths_of(network)
    for layer in paths.layers:
        step = int(layer.layer.name.split(".")[1])
        assert layer.paths_by_length == walks.by_layer.get(step, {})
        seen = []
        for group in layer.groups:
            for start, stop in group.channels:
                for channel in range(start, stop):
                    seen.append(channel)
                    assert group.paths_by_length == walks.by_channel.get((step, channel), {})
        assert sorted(seen) == list(range(layer.layer.out_channels))


@settings(max_examples=60, deadline=None)
@given(step_networks(single=True), st.sampled_from([2.0, 3.0, 5.0]))
def test_random_graphs_agree_with_the_polynomial_of_autograd(
    network: StepNetwork, z: float
) -> None:
    paths = paths_of(network, 1)
    gradients = gradients_at(network, torch.ones(1, 1, 1, 1), z)
    for layer in paths.layers:
        expected = gradients.get(layer.layer.name, torch.zeros(1)).sum().item()
        counted = sum(count * z**length for length, count in layer.paths_by_length.items())
        assert counted == expected


@settings(max_examples=40, deadline=None)
@given(step_networks(), st.integers(2, PRIME - 1))
def test_random_graphs_agree_modulo_a_prime(network: StepNetwork, z: int) -> None:
    paths = paths_of(network)
    assert polynomial_values(paths, z) == evaluate_modulo(network, z, channels=1)


def polynomial_values(paths: NetworkPaths, z: int) -> list[int]:
    return [
        sum(count * pow(z, length, PRIME) for length, count in layer.paths_by_length.items())
        % PRIME
        for layer in paths.layers
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_reference_networks_agree_with_autograd(kind: str) -> None:
    network = AggregationNetwork(kind, 5, width=1)
    paths = paths_of(network)
    gradients = gradients_at(network, torch.ones(1, 3, 1, 1), 3.0)
    for layer in paths.layers:
        counted = sum(count * 3.0**length for length, count in layer.paths_by_length.items())
        assert counted == gradients[layer.layer.name].sum().item()


@pytest.mark.parametrize("masked", [0.0, 0.5])
def test_residual_networks_agree_modulo_a_prime(masked: float) -> None:
    network = ResidualNetwork(4, convolutions=2, masked=masked)
    expected = polynomial_values(paths_of(network), 123456789)
    assert expected == evaluate_modulo(network, 123456789)
