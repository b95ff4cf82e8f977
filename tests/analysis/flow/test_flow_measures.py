"""Saturation, CKA and probes against their definitions in NumPy; hooks that leave nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from yolor_gp.analysis.flow.cka import MinibatchCKA
from yolor_gp.analysis.flow.observed import layer_names, observed
from yolor_gp.analysis.flow.probe import probe_accuracy
from yolor_gp.analysis.flow.saturation import Covariance, samples_of
from yolor_gp.errors import UserError


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 6, 3),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(6, 4),
    )  # fmt: skip


def test_layers_are_seen_in_order_and_the_network_is_left_as_it_was() -> None:
    model = network().train()
    model[2].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    images = torch.rand(5, 3, 8, 8)
    with observed(model, layer_names(model)) as outputs:
        first = model(images)
        assert list(outputs) == ["0", "3", "7"]
        assert torch.equal(outputs["7"], first) and torch.equal(outputs["0"], model[0](images))
        assert torch.equal(model(images), first)  # no dropout, no statistics
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())
    assert model.training and not model[2].training and model[6].training
    for module in model.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks


def test_what_is_kept_of_an_output_is_taken_at_once() -> None:
    model = network()
    images = torch.rand(5, 3, 8, 8)
    with observed(model, ["0", "7"], lambda output: output.mean().item()) as kept:
        last = model(images)
        assert kept["7"] == last.mean().item() and kept["0"] == model[0](images).mean().item()


def test_hooks_go_when_something_fails() -> None:
    model = network()
    with pytest.raises(RuntimeError), observed(model, ["0"]):
        model(torch.rand(2, 5, 8, 8))
    assert not model[0]._forward_hooks and not model._forward_pre_hooks


@pytest.mark.parametrize("pieces", [1, 7])
def test_covariance_and_saturation(pieces: int) -> None:
    generator = np.random.default_rng(0)
    scales = np.array([5.0, 3.0, 1.0, 0.2, 0.01, 0.0])
    rotation = np.linalg.qr(generator.normal(size=(6, 6)))[0]
    samples = (generator.normal(size=(400, 6)) * scales) @ rotation + 1000
    found = Covariance()
    for piece in np.array_split(samples, pieces):
        found.add(torch.from_numpy(piece))
    expected = np.cov(samples.T, bias=True)
    assert np.allclose(found.matrix().numpy(), expected, atol=1e-9)
    variances = np.sort(np.linalg.eigvalsh(expected))[::-1]
    for share in (0.5, 0.9, 0.99, 0.99999):
        needed = np.searchsorted(np.cumsum(variances) / variances.sum(), share) + 1
        assert found.saturation(share) == needed / 6
    constant = Covariance()
    constant.add(torch.ones(10, 3))
    assert constant.saturation() == 0


def test_cells_of_maps_are_samples() -> None:
    maps = torch.arange(2 * 3 * 4 * 4.0).reshape(2, 3, 4, 4)
    everything = samples_of(maps)
    assert everything.shape == (32, 3) and everything[5].tolist() == maps[0, :, 1, 1].tolist()
    some = samples_of(maps, most=4)
    assert some.shape == (8, 3) and some[3].tolist() == maps[0, :, 2, 2].tolist()
    assert samples_of(maps[:, :, 0, 0]).shape == (2, 3)


def hsic(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """HSIC_1 by its definition, from features."""
    n = len(first)
    k, m = first @ first.T, second @ second.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(m, 0)
    one = np.ones(n)
    whole = np.trace(k @ m) + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
    return float((whole - 2 / (n - 2) * (one @ k @ m @ one)) / (n * (n - 3)))


def test_cka_is_its_definition() -> None:
    generator = np.random.default_rng(1)
    batches = [[generator.normal(size=(n, d)) for d in (5, 9, 3)] for n in (8, 12)]
    found = MinibatchCKA()
    for batch in batches:
        found.add([torch.from_numpy(layer).float() for layer in batch])
    matrix = found.matrix().numpy()
    for i in range(3):
        for j in range(3):
            sums = [sum(hsic(b[p], b[q]) for b in batches) for p, q in ((i, j), (i, i), (j, j))]
            assert matrix[i, j] == pytest.approx(sums[0] / np.sqrt(sums[1] * sums[2]), abs=1e-5)


def test_cka_knows_rotations_and_strangers() -> None:
    torch.manual_seed(0)
    found = MinibatchCKA()
    rotation = torch.linalg.qr(torch.randn(6, 6))[0]
    for _ in range(200):
        values = torch.randn(16, 6)
        found.add([values], [3 * values @ rotation + 5, torch.randn(16, 6), torch.ones(16, 2)])
    same, stranger, constant = found.matrix()[0].tolist()
    assert same == pytest.approx(1, abs=1e-5) and abs(stranger) < 0.03 and np.isnan(constant)
    small = MinibatchCKA()
    small.add([torch.randn(3, 4)])
    assert small.batches == 0


def test_a_probe_is_scikit_learns() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 600)
    values = generator.normal(size=(600, 5)) + 1.5 * np.eye(3, 5)[labels]
    values[:, 4] = 7
    train, test = (values[:400].astype(np.float32), labels[:400]), (
        values[400:].astype(np.float32), labels[400:])  # fmt: skip
    found = probe_accuracy(train, test)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)).fit(*train)
    assert found == pytest.approx(model.score(*test), abs=0.006) and found > 0.6
    assert probe_accuracy(train, test) == found
    with pytest.raises(UserError, match="at least two classes"):
        probe_accuracy((train[0], np.zeros_like(train[1])), test)
