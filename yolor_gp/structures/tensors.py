"""Tensors at the border of a room: checked as they are made, and carried to a device."""

from __future__ import annotations

import torch
from torch import Tensor


def check_tensor(
    name: str,
    tensor: Tensor,
    shape: tuple[int | None, ...],
    dtype: torch.dtype | tuple[torch.dtype, ...] | None = None,
) -> None:
    """Refuse a tensor that has not `shape` (None: any length) and one of `dtype`.

    Raises:
        ValueError: When it has not, with what was expected and what was found.
    """
    same_rank = tensor.ndim == len(shape)
    if not same_rank or any(
        expected is not None and expected != actual
        for expected, actual in zip(shape, tensor.shape, strict=True)
    ):
        expected_text = ", ".join("any" if length is None else str(length) for length in shape)
        raise ValueError(f"{name}: expected shape [{expected_text}], got {list(tensor.shape)}")
    allowed = dtype if isinstance(dtype, tuple) else (dtype,)
    if dtype is not None and tensor.dtype not in allowed:
        raise ValueError(f"{name}: expected {' or '.join(map(str, allowed))}, got {tensor.dtype}")


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on `device`, copied without waiting for what the device is doing.

    Only page-locked memory is read by a GPU at its leisure; from other memory the host would copy,
    and wait.
    """
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()  # itself if it is page-locked already
    return tensor.to(device, non_blocking=True)
