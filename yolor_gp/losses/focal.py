"""Binary cross entropy, optionally focused on what is still wrong."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def binary_cross_entropy(
    logits: Tensor, targets: Tensor, *, gamma: float = 0.0, alpha: float = 0.25
) -> Tensor:
    """The cross entropy of every element, same shape; targets in 0..1.

    With gamma > 0 the focal loss [Focal, eq. 5]: an element right with
    probability p counts (1 - p)^gamma, positives alpha and negatives 1 - alpha.
    """
    loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    if gamma == 0:
        return loss
    probability = logits.sigmoid()
    right = targets * probability + (1 - targets) * (1 - probability)
    balance = targets * alpha + (1 - targets) * (1 - alpha)
    return loss * balance * (1 - right) ** gamma
