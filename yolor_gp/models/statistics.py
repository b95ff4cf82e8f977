"""Running statistics of normalisation that say nothing, and how they are found again.

Weights that were folded for deployment and rebuilt have a mean of 0 and a variance of 1 everywhere.
Such a network computes what it should, but in training its first step would normalise by the true
statistics of the batch and compute something else. So the true ones are measured, and scale and
shift changed by as much, which leaves the function as it was.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_NEARLY = 2e-3
"""How far from 0 and 1 neutral numbers may be: files carry another epsilon inside the variance."""


def has_neutral_statistics(network: nn.Module) -> bool:
    """Whether every normalisation has a mean of 0 and a variance of 1, though it was trained."""
    norms = _norms(network)
    trained = any(bool(norm.bias.any()) for norm in norms)
    return trained and all(
        norm.running_mean is not None
        and norm.running_var is not None
        and float(norm.running_mean.abs().max()) <= _NEARLY
        and float((norm.running_var - 1).abs().max()) <= _NEARLY
        for norm in norms
    )


@torch.no_grad()
def restore_statistics(network: nn.Module, batches: Iterable[Tensor]) -> int:
    """Measure means and variances, and change scale and shift so that the function stays.

    Args:
        network: Whose modules are changed; its mode stays.
        batches: Images f32[B, 3, H, W] in 0..1 on its device; a few are enough.

    Returns:
        How many normalisations were changed: those that are not frozen.
    """
    norms = [norm for norm in _norms(network) if norm.weight.requires_grad]
    sums = {norm: _Sums(norm) for norm in norms}
    hooks = [norm.register_forward_pre_hook(sums[norm].add) for norm in norms]
    was_training = network.training
    network.eval()
    try:
        for images in batches:
            network(images)
    finally:
        for hook in hooks:
            hook.remove()
        network.train(was_training)
    for norm in norms:
        _replace(norm, sums[norm])
    return len(norms)


class _Sums:
    """Of everything that enters a normalisation, per channel, in float64."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        device = norm.weight.device
        self.sum = torch.zeros(norm.num_features, dtype=torch.float64, device=device)
        self.squares = torch.zeros_like(self.sum)
        self.count = 0

    def add(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        values = inputs[0].double()
        self.sum += values.sum((0, 2, 3))
        self.squares += values.square().sum((0, 2, 3))
        self.count += values.numel() // values.shape[1]


def _replace(norm: nn.BatchNorm2d, sums: _Sums) -> None:
    if not sums.count or norm.running_mean is None or norm.running_var is None:
        return
    mean = sums.sum / sums.count
    variance = (sums.squares / sums.count - mean.square()).clamp(min=0)
    before = (norm.running_var.double() + norm.eps).sqrt()
    slope = norm.weight.double() / before
    norm.bias.copy_(norm.bias + slope * (mean - norm.running_mean))
    norm.weight.copy_(slope * (variance + norm.eps).sqrt())
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)


def _norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
