"""Learning rate, momentum and accumulation as functions of the position in training."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from torch.optim import Optimizer

from yolor_gp.config.train_config import OptimizerConfig, ScheduleConfig

NORMAL_WARMUP = "normal"
BIAS_WARMUP = "bias"
"""What a parameter group says under "warmup": start from 0, or from `warmup_bias_lr`."""


def decay_factor(config: ScheduleConfig, epoch: float) -> float:
    """Fraction of the base rate at `epoch`: 1 at the start, `final_fraction` at the end.

    In steps: `step_factor` to the power of the steps that are over.
    """
    if config.shape == "step":
        return float(config.step_factor ** (epoch // config.step_epochs))
    progress = epoch / config.epochs
    cosine = (1 + math.cos(math.pi * progress)) / 2
    remaining = cosine if config.shape == "cosine" else (1 - progress) ** config.power
    return config.final_fraction + (1 - config.final_fraction) * remaining


@dataclass(frozen=True)
class Schedule:
    """Positions count batches (forward passes) from the start of training.

    steps_per_epoch: batches in an epoch; batch_size: images in a batch over all processes.
    During the warm-up the rate of weights rises from 0, that of biases falls from
    `warmup_bias_lr`, momentum rises from `warmup_momentum` and accumulation from 1 batch.
    """

    config: ScheduleConfig
    optimizer: OptimizerConfig
    steps_per_epoch: int
    batch_size: int

    @property
    def full_accumulation(self) -> int:
        """Batches whose gradients are added to reach the nominal batch."""
        return max(round(self.optimizer.nominal_batch / self.batch_size), 1)

    @property
    def warmup_steps(self) -> int:
        """Batches of warm-up: the longer of `warmup_epochs` and `warmup_min_steps`; or none."""
        if self.config.warmup_epochs == 0:
            return 0
        steps = round(self.config.warmup_epochs * self.steps_per_epoch)
        return max(steps, self.config.warmup_min_steps)

    @property
    def weight_decay(self) -> float:
        """Scaled by batch * accumulate / nominal: 1 unless the batch does not divide it."""
        images = self.batch_size * self.full_accumulation
        return self.optimizer.weight_decay * images / self.optimizer.nominal_batch

    def accumulation(self, position: int) -> int:
        """Batches to accumulate at `position`."""
        if position >= self.warmup_steps:
            return self.full_accumulation
        return max(round(self._warm(position, 1, self.full_accumulation)), 1)

    def apply(self, optimizer: Optimizer, position: int) -> None:
        """Set rate and momentum of every parameter group for the batch at `position`."""
        epoch = position // self.steps_per_epoch
        rate = self.optimizer.learning_rate * decay_factor(self.config, epoch)
        momentum = self.optimizer.momentum
        warming = position < self.warmup_steps
        if warming:
            momentum = self._warm(position, self.config.warmup_momentum, momentum)
        for group in optimizer.param_groups:
            start = self.config.warmup_bias_lr if group["warmup"] == BIAS_WARMUP else 0.0
            group["lr"] = self._warm(position, start, rate) if warming else rate
            if "betas" in group:  # AdamW calls its momentum the first beta
                group["betas"] = (momentum, group["betas"][1])
            else:
                group["momentum"] = momentum

    def _warm(self, position: int, start: float, end: float) -> float:
        return float(np.interp(position, (0, self.warmup_steps), (start, end)))
