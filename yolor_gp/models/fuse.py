"""A trained network made ready for use: what is linear and adjacent becomes one convolution."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from yolor_gp.models.blocks.folding import Foldable

Network = TypeVar("Network", bound=nn.Module)


@torch.no_grad()
def fuse(network: Network) -> Network:
    """Fold batch normalisation, implicit constants and RepConv branches, in place.

    Returns the same network in eval mode; its outputs stay the same but for rounding. It can no
    longer be trained.
    """
    network.eval()
    for module in list(network.modules()):
        if isinstance(module, Foldable):
            module.fold()
    return network.requires_grad_(False)
