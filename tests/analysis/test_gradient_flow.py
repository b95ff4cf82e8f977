"""Gradients measured during training, beside the static picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from yolor_gp.analysis.gradient_flow import (
    GradientFlow,
    GradientRow,
    load_gradients,
    measured_by_group,
)
from yolor_gp.analysis.paths.gradient_paths import analyse
from yolor_gp.analysis.paths.graph import read_graph
from yolor_gp.analysis.paths.reference_networks import ResidualNetwork
from yolor_gp.errors import UserError


def test_means_over_updates_and_channels() -> None:
    layer = nn.Linear(2, 2, bias=False)
    flow = GradientFlow(layer)
    layer.weight.grad = torch.tensor([[1.0, -3.0], [0.0, 0.0]])
    flow.on_gradients()
    layer.weight.grad = torch.tensor([[0.0, 0.0], [-4.0, 4.0]])
    flow.on_gradients()
    assert flow.channel_means() == {"": [1.0, 2.0]}
    assert flow.rows() == [GradientRow("", ((0, 2),), 1.5)]


def test_a_gradient_that_is_not_finite_adds_nothing() -> None:
    layer = nn.Linear(1, 2, bias=False)
    flow = GradientFlow(layer)
    layer.weight.grad = torch.tensor([[float("inf")], [2.0]])
    flow.on_gradients()
    assert flow.channel_means() == {"": [0.0, 2.0]}


def test_a_transposed_convolution_is_read_by_output_channel() -> None:
    layer = nn.ConvTranspose2d(4, 4, 1, groups=2, bias=False)
    flow = GradientFlow(layer)
    # weight [in, out / groups]: input 0 and 1 make outputs 0 and 1; input 2 and 3 outputs 2 and 3.
    layer.weight.grad = torch.tensor([[1.0, 2], [3, 4], [5, 6], [7, 8]]).view(4, 2, 1, 1)
    flow.on_gradients()
    assert flow.channel_means() == {"": [2.0, 3.0, 6.0, 7.0]}


class Stopped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.stem(x)
        result: Tensor = self.last(torch.cat([y[:, :2], y[:, 2:].detach()], 1))
        return result


def test_channels_that_no_path_reaches_measure_zero() -> None:
    network = Stopped()
    paths = analyse(read_graph(network, torch.empty(1, 3, 4, 4)))
    flow = GradientFlow(network)
    network(torch.rand(1, 3, 4, 4)).square().sum().backward()
    flow.on_gradients()
    reached, stopped = (row for row in flow.rows(paths) if row.layer == "stem")
    assert reached.channels == ((0, 2),) and reached.mean_absolute_gradient > 0
    assert stopped.channels == ((2, 4),) and stopped.mean_absolute_gradient == 0


def test_masked_channels_get_less_gradient_in_a_training() -> None:
    """PRN's masked half of the stem lacks the short path through the additions."""
    torch.manual_seed(0)
    network = ResidualNetwork(4, width=8, masked=0.5)
    paths = analyse(read_graph(network, torch.empty(1, 3, 8, 8)))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    flow = GradientFlow(network)
    for _ in range(10):
        images = torch.randn(4, 3, 8, 8)
        loss = (network(images) - images.mean(1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        flow.on_gradients()
        optimizer.step()
    kept, masked = measured_by_group(flow.channel_means(), paths)["stem"]
    assert masked < kept


def test_saved_gradients_come_back(tmp_path: Path) -> None:
    layer = nn.Linear(2, 1, bias=False)
    flow = GradientFlow(layer)
    layer.weight.grad = torch.tensor([[1.0, 2.0]])
    flow.on_gradients()
    flow.save(tmp_path / "g.json")
    assert load_gradients(tmp_path / "g.json") == {"": [1.5]}


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"mean_absolute_gradient": {"a": ["x"]}})])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "g.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"g\.json: .*--log-gradients"):
        load_gradients(file)


def test_gradients_of_another_network_are_refused() -> None:
    paths = analyse(read_graph(ResidualNetwork(1), torch.empty(1, 3, 8, 8)))
    with pytest.raises(UserError, match=r"gradients of another network: .* 'stem'"):
        measured_by_group({"other": [1.0]}, paths)
