"""Darknet files for tests: a small network in a `.cfg`, and numbers in Darknet's order."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import torch

from yolor_gp.interop.darknet_cfg import DarknetModel, read_darknet_cfg
from yolor_gp.models.builder import build_network
from yolor_gp.models.network import Trunk

CFG = """\
[net]
# Two levels, three classes.
width=64
height=64
channels=3
learning_rate=0.001

[convolutional]
batch_normalize=1
filters=6
size=3
stride=2
pad=1
activation=leaky

[convolutional]
batch_normalize=1
filters=12
size=3
stride=2
pad=1
activation=swish

[convolutional]
batch_normalize=1
filters=6
size=1
stride=1
pad=1
activation=swish

[route]
layers=-2

[convolutional]
batch_normalize=1
filters=6
size=1
activation=swish

[convolutional]
batch_normalize=1
groups=2
filters=6
size=3
pad=1
activation=mish

[dropout]
probability=.2

[shortcut]
from=-3
activation=leaky

[route]
layers=-1,-6

[maxpool]
size=2
stride=2

[maxpool]
size=2
stride=1

[convolutional]
filters=24
size=1
activation=linear

[yolo]
mask=2,3,4
anchors=4,5, 7,9, 12,14, 20,30, 33,40
classes=3
num=5
scale_x_y=1.05

[route]
layers=-3

[upsample]
stride=2

[route]
layers=-1,-8
groups=2
group_id=1

[convolutional]
filters=24
size=1
activation=linear

[yolo]
mask=0,1,2
anchors=4,5, 7,9, 12,14, 20,30, 33,40
classes=3
num=5
"""
NAMES = "cell\nplatelet\nother cell\n"
HEADER = struct.pack("<3iQ", 0, 2, 5, 32013312)


def random_network(model: DarknetModel, seed: int = 0) -> Trunk:
    """Its network, with numbers of which none is neutral."""
    torch.manual_seed(seed)
    network = build_network(model.spec)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            low, high = (0.5, 1.5) if name.endswith(("var", "norm.weight")) else (-0.5, 0.5)
            if value.ndim == 4:  # so that numbers neither grow nor vanish
                high = (3 / value[0].numel()) ** 0.5
                low = -high
            value.uniform_(low, high)
    return network.eval()


def numbers_of(model: DarknetModel, network: Trunk) -> np.ndarray:
    """The numbers of a network in the order of a `.weights` file."""
    state, parts = network.state_dict(), []
    for one in model.convolutions:
        parts.append(state[one.bias])
        if one.norm is not None:
            parts.append(state[f"{one.norm}.weight"])
            parts.append(state[f"{one.norm}.running_mean"])
            # Darknet's epsilon is 1e-6, ours 1e-3.
            parts.append(state[f"{one.norm}.running_var"] + (1e-3 - 1e-6))
        parts.append(state[one.weight])
    return torch.cat([part.flatten() for part in parts]).numpy().astype("<f4")


def write_darknet(folder: Path, text: str = CFG, name: str = "small", seed: int = 0) -> Path:
    """`NAME.cfg`, `NAME.weights` and `NAME.names`; gives the path of the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    cfg = folder / f"{name}.cfg"
    cfg.write_text(text)
    (folder / f"{name}.names").write_text(NAMES)
    model = read_darknet_cfg(cfg)
    numbers = numbers_of(model, random_network(model, seed))
    weights = folder / f"{name}.weights"
    weights.write_bytes(HEADER + numbers.tobytes())
    return weights
