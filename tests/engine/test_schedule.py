from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from yolor_gp.config.train_config import OptimizerConfig, ScheduleConfig
from yolor_gp.engine.optimizer import build_optimizer
from yolor_gp.engine.schedule import Schedule, decay_factor


def schedule(batch_size: int = 16, steps: int = 100, **changes: object) -> Schedule:
    config = ScheduleConfig.model_validate({"epochs": 10, "warmup_min_steps": 0, **changes})
    return Schedule(config, OptimizerConfig(), steps, batch_size)


def test_cosine_falls_to_a_fifth() -> None:
    config = ScheduleConfig(epochs=10, shape="cosine", final_fraction=0.2)
    assert decay_factor(config, 0) == 1
    assert decay_factor(config, 5) == pytest.approx(0.6)
    assert decay_factor(config, 2.5) == pytest.approx(0.2 + 0.8 * (1 + math.sqrt(0.5)) / 2)
    assert decay_factor(config, 10) == pytest.approx(0.2)


def test_linear_falls_to_a_tenth() -> None:
    config = ScheduleConfig(epochs=10, shape="linear", final_fraction=0.1)
    assert [decay_factor(config, epoch) for epoch in (0, 5, 10)] == pytest.approx([1, 0.55, 0.1])


def test_accumulation_reaches_the_nominal_batch_after_the_warm_up() -> None:
    plan = schedule(batch_size=16, warmup_epochs=1)
    assert plan.full_accumulation == 4
    # 1 + 3 * position / 100, rounded.
    assert [plan.accumulation(p) for p in (0, 16, 17, 49, 51, 84, 99, 100, 900)] == [
        1, 1, 2, 2, 3, 4, 4, 4, 4,
    ]  # fmt: skip
    assert schedule(batch_size=256).full_accumulation == 1


def test_weight_decay_follows_the_batch() -> None:
    assert schedule(batch_size=64).weight_decay == pytest.approx(5e-4)
    assert schedule(batch_size=128).weight_decay == pytest.approx(1e-3)
    assert schedule(batch_size=24).weight_decay == pytest.approx(5e-4 * 72 / 64)


@pytest.mark.parametrize(
    ("epochs", "least", "steps"), [(3, 1000, 1000), (3, 100, 300), (0, 1000, 0)]
)
def test_warm_up_length(epochs: int, least: int, steps: int) -> None:
    assert schedule(warmup_epochs=epochs, warmup_min_steps=least).warmup_steps == steps


def test_rates_and_momentum_during_the_warm_up() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    plan = schedule(warmup_epochs=2, warmup_momentum=0.8, warmup_bias_lr=0.1)
    optimizer = build_optimizer(network, OptimizerConfig(), 5e-4)

    def rates(position: int) -> list[float]:
        plan.apply(optimizer, position)
        groups = {group["name"]: group for group in optimizer.param_groups}
        return [
            groups["decayed"]["lr"], groups["undecayed"]["lr"], groups["biases"]["lr"],
            groups["decayed"]["momentum"],
        ]  # fmt: skip

    assert rates(0) == pytest.approx([0, 0, 0.1, 0.8])
    assert rates(50) == pytest.approx([0.0025, 0.0025, 0.0775, 0.83425])
    second = 0.01 * decay_factor(plan.config, 1)
    assert rates(100) == pytest.approx([second / 2, second / 2, (0.1 + second) / 2, 0.8685])
    third = 0.01 * decay_factor(plan.config, 2)
    assert rates(200) == pytest.approx([third, third, third, 0.937])


class Implicit(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(1, 4, 1, 1))


def test_three_groups_of_parameters() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), Implicit(), nn.Linear(4, 2), nn.Conv2d(4, 4, 1)
    )
    network[4].weight = network[4].weight.requires_grad_(False)
    optimizer = build_optimizer(network, OptimizerConfig(), 1e-3)
    groups = {group["name"]: group for group in optimizer.param_groups}
    ids = {name: {id(p) for p in group["params"]} for name, group in groups.items()}
    assert ids["decayed"] == {id(network[0].weight), id(network[3].weight)}
    assert ids["undecayed"] == {id(network[1].weight), id(network[2].value)}
    assert ids["biases"] == {id(network[i].bias) for i in (0, 1, 3, 4)}
    assert [groups[name]["weight_decay"] for name in ("decayed", "undecayed", "biases")] == [
        1e-3, 0, 0,
    ]  # fmt: skip
    assert all(group["nesterov"] for group in groups.values())


def test_adamw_takes_momentum_as_its_first_beta() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    config = OptimizerConfig(name="adamw", learning_rate=0.002, momentum=0.9)
    optimizer = build_optimizer(network, config, 5e-4)
    plan = schedule(warmup_epochs=2, warmup_momentum=0.5, warmup_bias_lr=0.0)
    plan = replace(plan, optimizer=config)
    plan.apply(optimizer, 100)
    groups = {group["name"]: group for group in optimizer.param_groups}
    assert isinstance(optimizer, torch.optim.AdamW)
    assert groups["decayed"]["betas"] == pytest.approx((0.7, 0.999))
    assert [groups[name]["weight_decay"] for name in ("decayed", "undecayed")] == [5e-4, 0]
    before = network[0].weight.detach().clone()
    network(torch.ones(2, 3, 4, 4)).square().sum().backward()
    optimizer.step()
    assert not torch.equal(before, network[0].get_parameter("weight"))
