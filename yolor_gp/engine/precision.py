"""Number formats of training and inference; the only file that knows autocast and GradScaler."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from yolor_gp.config.precisions import check_precision
from yolor_gp.errors import UserError

_TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}

Value = TypeVar("Value")


@dataclass(frozen=True)
class Precision:
    """The type in which a network computes; weights, losses and updates stay float32."""

    name: str
    device_type: str

    @property
    def dtype(self) -> torch.dtype:
        """The type of activations."""
        return _TYPES[self.name]

    @property
    def channels_last(self) -> bool:
        """Whether that layout pays: on CPUs always (a fifth faster in float32, a third in bfloat16
        with AMX), on GPUs for the half types of tensor cores.
        """
        return self.device_type == "cpu" or self.dtype is not torch.float32

    def autocast(self) -> AbstractContextManager[Any]:
        """Around the network's forward pass."""
        enabled = self.dtype is not torch.float32
        return torch.autocast(self.device_type, dtype=self.dtype, enabled=enabled)

    def full(self) -> AbstractContextManager[Any]:
        """Around the loss: autocast off."""
        return torch.autocast(self.device_type, enabled=False)

    def images(self, images: Tensor, device: torch.device) -> Tensor:
        """u8[B, 3, H, W] -> f32 in 0..1 on `device`; float images are only moved."""
        scaled = images.to(device, non_blocking=True)
        if scaled.dtype == torch.uint8:
            scaled = scaled.float().div_(255)
        if self.channels_last:
            scaled = scaled.contiguous(memory_format=torch.channels_last)
        return scaled

    def prepare(self, network: nn.Module) -> nn.Module:
        """The network in the memory layout that pays; its numbers are untouched.

        Only convolutions, for which it means something: other four-dimensional parameters would get
        gradients of another layout than their own, which DDP complains of.
        """
        if self.channels_last:
            for module in network.modules():
                if isinstance(module, nn.Conv2d):
                    module.to(memory_format=torch.channels_last)
        return network


def choose_precision(name: str, device: torch.device) -> Precision:
    """The precision of training.

    auto: bfloat16 where the device computes it natively, else float16 on CUDA, else float32.

    Raises:
        UserError: When the name is unknown, or the device cannot do it.
    """
    check_precision(name)
    if name == "auto":
        name = _automatic(device)
    if name == "float16" and device.type == "cpu":
        raise UserError("--precision float16: needs a CUDA device; use bfloat16 or float32")
    return Precision(name, device.type)


def choose_validation_precision(name: str, device: torch.device) -> Precision:
    """The precision of validation.

    auto: float16 on CUDA, whose 11 bits keep box coordinates that bfloat16's 8 would blur; float32
    elsewhere, so that figures do not depend on the processor.
    """
    if name == "auto":
        name = "float16" if device.type == "cuda" else "float32"
    return choose_precision(name, device)


def choose_detection_precision(name: str, device: torch.device) -> Precision:
    """The precision of detection.

    auto: as in validation on CUDA; on a CPU that computes it natively bfloat16, which takes less
    than half the time (and a thousandth of AP: docs/benchmarks.md).
    """
    if name == "auto" and device.type == "cuda":
        name = "float16"
    return choose_precision(name, device)


def _automatic(device: torch.device) -> str:
    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= (8, 0)
        return "bfloat16" if native else "float16"
    if device.type == "cpu":
        able = torch.cpu.get_capabilities()
        if able.get("amx_bf16") or able.get("avx512_bf16"):
            return "bfloat16"
    return "float32"


def to_float32(value: Value) -> Value:
    """`value` with every half tensor in it (dataclasses, tuples, lists, dicts) as float32."""
    if isinstance(value, Tensor):
        is_half = value.dtype in (torch.float16, torch.bfloat16)
        return cast(Value, value.float()) if is_half else value
    if is_dataclass(value) and not isinstance(value, type):
        changes = {field.name: to_float32(getattr(value, field.name)) for field in fields(value)}
        return cast(Value, replace(value, **changes))
    if isinstance(value, tuple | list):
        return cast(Value, type(value)(to_float32(part) for part in value))
    if isinstance(value, dict):
        return cast(Value, {key: to_float32(part) for key, part in value.items()})
    return value


class LossScaler:
    """Scales losses so that float16 gradients do not vanish; does nothing for other types."""

    def __init__(self, precision: Precision) -> None:
        enabled = precision.dtype is torch.float16
        self._scaler = torch.amp.GradScaler(precision.device_type, enabled=enabled)

    @property
    def enabled(self) -> bool:
        """Whether losses are scaled."""
        return self._scaler.is_enabled()

    def backward(self, loss: Tensor) -> None:
        """Differentiate the scaled loss."""
        # torch leaves this method untyped.
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def unscale(self, optimizer: Optimizer) -> None:
        """Divide the gradients by the scale, once before each step."""
        self._scaler.unscale_(optimizer)

    def step(self, optimizer: Optimizer) -> None:
        """Update the weights."""
        self._scaler.step(optimizer)

    def adapt(self) -> None:
        """After a step or an overflow: raise or lower the scale."""
        self._scaler.update()

    @property
    def scale(self) -> float:
        """The present factor, 1 when disabled."""
        return float(self._scaler.get_scale())

    def state_dict(self) -> dict[str, Any]:
        """Empty when disabled."""
        return dict(self._scaler.state_dict())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`; a state of another precision is left aside."""
        if state and self.enabled:
            self._scaler.load_state_dict(state)


def training_device(name: str, local_rank: int = 0, processes: int = 1) -> torch.device:
    """The device of this process: `auto`, `cpu`, `cuda` or a bare GPU number as users write.

    Of several processes each takes the GPU of its local rank.

    Raises:
        UserError: When there is no such device, or several processes would share it.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return torch.device("cpu")
    number = name.removeprefix("cuda:")
    if name == "cuda":
        number = str(local_rank)
    if not number.isdigit():
        raise UserError(f"--device {name}: expected auto, cpu, cuda or the number of a GPU")
    if processes > 1 and name != "cuda":
        raise UserError(
            f"--device {name}: {processes} processes cannot share one GPU; with --device cuda each"
            " takes its own"
        )
    if int(number) >= torch.cuda.device_count():
        raise UserError(
            f"--device {name}: GPU {number} asked for, {torch.cuda.device_count()} found; use"
            " --device cpu, or start fewer processes than there are GPUs"
        )
    return torch.device("cuda", int(number))
