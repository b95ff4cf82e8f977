"""Small tensors on their way from the host to a device."""

from __future__ import annotations

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on `device`, copied without waiting for what the device is doing.

    Only page-locked memory is read by a GPU at its leisure; from other memory the host would copy,
    and wait.
    """
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()  # itself if it is page-locked already
    return tensor.to(device, non_blocking=True)
