from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from yolor_gp.config.train_config import EmaConfig
from yolor_gp.engine.ema import ModelEMA, decay_at


def test_decay_by_hand() -> None:
    config = EmaConfig()
    assert decay_at(config, 2000) == pytest.approx(0.9999 * (1 - math.exp(-1)))
    assert decay_at(config, 10**6) == pytest.approx(0.9999)


def test_weights_and_statistics_are_averaged_and_counters_copied() -> None:
    network = nn.BatchNorm2d(2)
    average = ModelEMA(network, EmaConfig(decay=0.5, warmup=1))
    with torch.no_grad():
        network.weight.fill_(3.0)
        network.running_mean.fill_(8.0)
        network.num_batches_tracked.fill_(7)
    average.update()
    kept = 0.5 * (1 - math.exp(-1))
    mine = average.network
    assert isinstance(mine, nn.BatchNorm2d)
    assert mine.weight.tolist() == pytest.approx([kept + (1 - kept) * 3] * 2)
    assert mine.running_mean is not None and mine.num_batches_tracked is not None
    assert mine.running_mean.tolist() == pytest.approx([(1 - kept) * 8] * 2)
    assert mine.num_batches_tracked.item() == 7
    assert not mine.training and not mine.weight.requires_grad


def test_equals_averaging_by_torch() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    config = EmaConfig(decay=0.9, warmup=3)
    updates = 0

    def average(averaged: list[Tensor], current: list[Tensor], _: object) -> None:
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(averaged, current, 1 - decay_at(config, updates))
        else:
            torch._foreach_copy_(averaged, current)

    ours = ModelEMA(network, config)
    theirs = AveragedModel(network, multi_avg_fn=average, use_buffers=True)  # type: ignore[arg-type]
    theirs.n_averaged += 1  # torch would copy the first instead of averaging it
    for updates in range(1, 6):  # noqa: B007
        with torch.no_grad():
            network(torch.randn(4, 3))
            network[0].weight.add_(torch.randn(2, 3))
        ours.update()
        theirs.update_parameters(network)
    expected = theirs.module.state_dict()
    for name, tensor in ours.network.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_state_goes_round() -> None:
    torch.manual_seed(0)
    network = nn.Linear(3, 2)
    average = ModelEMA(network, EmaConfig())
    with torch.no_grad():
        network.weight.zero_()
    average.update()
    again = ModelEMA(network, EmaConfig())
    again.load_state_dict(average.state_dict())
    assert again.updates == 1
    assert torch.equal(
        average.network.get_parameter("weight"), again.network.get_parameter("weight")
    )
