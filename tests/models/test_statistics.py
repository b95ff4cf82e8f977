from __future__ import annotations

import copy

import torch

from tests.tiny_network import TINY
from yolor_gp.config.model_spec import load_model_spec
from yolor_gp.models.builder import build_network
from yolor_gp.models.statistics import has_neutral_statistics, restore_statistics


def test_statistics_are_found_and_the_function_stays() -> None:
    torch.manual_seed(0)
    network = build_network(load_model_spec(TINY))
    assert not has_neutral_statistics(network)  # it has not learned anything yet
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    assert has_neutral_statistics(network)
    before = copy.deepcopy(network).eval()
    batches = [torch.rand(4, 3, 64, 64) for _ in range(3)]
    network.train()
    assert restore_statistics(network, batches) == 7
    assert network.training and not has_neutral_statistics(network)
    network.eval()
    with torch.no_grad():
        old, new = before(batches[0]), network(batches[0])
        for was, level in zip(old.levels, new.levels, strict=True):
            torch.testing.assert_close(level.logits, was.logits, rtol=1e-4, atol=1e-5)
        # A training step sees nearly the same as well, which it did not before.
        learning, without = network.train()(batches[1]), before.train()(batches[1])
        reference = old.levels[0].logits
        near = (learning.levels[0].logits - reference).abs().mean()
        far = (without.levels[0].logits - reference).abs().mean()
        assert near < 0.1 * far
