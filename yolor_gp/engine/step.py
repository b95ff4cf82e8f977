"""One optimizer step: gradients of one or more batches, checked, clipped, applied."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from yolor_gp.engine.distributed.context import DistributedContext
from yolor_gp.engine.precision import Precision, to_float32
from yolor_gp.engine.task import TrainingBatch, loss_names
from yolor_gp.engine.training_state import TrainingState
from yolor_gp.errors import UserError

_NAMED_IMAGES = 16


@dataclass(frozen=True)
class _Everywhere:
    """parts, norm: means over the processes; signals: processes asked to stop, by number."""

    parts: dict[str, float]
    norm: float
    signals: dict[int, int]


@dataclass(frozen=True)
class StepReport:
    """parts: losses summed over the step's `batches`, mean over the processes.

    applied: False where a non-finite number made the step be left out; `overflow`: because the
    float16 scale was too high, which mends itself; culprits: images of the batches concerned;
    signals: processes that were asked to stop, by signal number.
    """

    parts: dict[str, float]
    batches: int
    norm: float
    applied: bool
    overflow: bool
    culprits: tuple[str, ...]
    signals: dict[int, int]


class Stepper:
    """Call `accumulate` for every batch of a step, then `apply`.

    wrapped: the network of `state` as it is called in training.
    """

    def __init__(
        self,
        state: TrainingState,
        wrapped: nn.Module,
        *,
        precision: Precision,
        context: DistributedContext,
        device: torch.device,
        clip_norm: float | None,
    ) -> None:
        self._state, self._wrapped, self._precision = state, wrapped, precision
        self._context, self._device, self._clip_norm = context, device, clip_norm
        self._buffers = _Buffers(state.network)
        self._parameters = list(state.network.parameters())
        self._losses: list[Tensor] = []
        self._images: list[tuple[str, ...]] = []
        self._names: list[str] = []

    def accumulate(self, batch: TrainingBatch, *, last: bool) -> None:
        """Add the gradients of `batch`; processes exchange them at the `last` one of a step.

        Raises:
            UserError: When the device's memory is full.
            RuntimeError: What else the network raises, as it is.
        """
        if not self._losses:
            self._buffers.remember()
        try:
            with self._context.backward(self._wrapped, exchange=last):
                self._forward_backward(batch)
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
            raise UserError(_out_of_memory(batch, self._device)) from error
        self._images.append(tuple(meta.path for meta in batch.metas))

    def apply(self, received: int | None, watched: tuple[int, ...]) -> StepReport:
        """Update the weights unless a number is not finite; agree with the other processes.

        received: the signal this process got, one of `watched`.
        """
        state, scaler = self._state, self._state.scaler
        scaler.unscale(state.optimizer)
        parameters = [p for p in self._parameters if p.grad is not None]
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = get_total_norm(gradients, foreach=True)
        losses = torch.stack(self._losses)
        everywhere = self._sums(losses, norm, received, watched)
        finite_losses = all(math.isfinite(number) for number in everywhere.parts.values())
        applied = finite_losses and math.isfinite(everywhere.norm)
        overflow = finite_losses and not applied and scaler.enabled and scaler.scale > 1
        culprits = () if applied or overflow else self._culprits(losses)
        if applied:
            if state.observer is not None:
                state.observer.on_gradients()
            if self._clip_norm is not None:
                clip_grads_with_norm_(parameters, self._clip_norm, norm, foreach=True)
            scaler.step(state.optimizer)
        else:
            self._buffers.restore()
        scaler.adapt()
        report = StepReport(
            parts=everywhere.parts,
            batches=len(self._losses),
            norm=everywhere.norm,
            applied=applied,
            overflow=overflow,
            culprits=culprits,
            signals=everywhere.signals,
        )
        self._begin()
        return report

    def _sums(
        self, losses: Tensor, norm: Tensor, received: int | None, watched: tuple[int, ...]
    ) -> _Everywhere:
        """Losses, norm and signals of all processes, by one exchange and one wait."""
        asked = torch.tensor([float(received == number) for number in watched])
        mine = (losses.sum(0), norm.reshape(1), asked.to(losses.device))
        total = self._context.sum(torch.cat(mine)).cpu()
        sizes = [len(part) for part in mine]
        parts, (norm_sum,), signals = (part.tolist() for part in torch.split(total, sizes))
        size = self._context.size
        return _Everywhere(
            parts={name: value / size for name, value in zip(self._names, parts, strict=True)},
            norm=norm_sum / size,
            signals={number: round(n) for number, n in zip(watched, signals, strict=True)},
        )

    def _begin(self) -> None:
        self._losses.clear()
        self._images.clear()
        self._state.optimizer.zero_grad(set_to_none=True)

    def _forward_backward(self, batch: TrainingBatch) -> None:
        images = self._precision.images(batch.images, self._device)
        with self._precision.autocast():
            outputs = self._wrapped(images)
        with self._precision.full():
            losses = self._state.task.criterion(to_float32(outputs), batch.targets)
        self._names = loss_names(losses)
        values = [getattr(losses, name).detach().reshape(()) for name in self._names]
        self._losses.append(torch.stack(values).float())
        self._state.scaler.backward(losses.total)

    def _culprits(self, losses: Tensor) -> tuple[str, ...]:
        """Images of the batches whose own loss is not finite; of all where only gradients are."""
        finite = losses.isfinite().all(dim=1).tolist()
        guilty = [names for names, good in zip(self._images, finite, strict=True) if not good]
        return tuple(name for names in guilty or self._images for name in names)


class _Buffers:
    """The running statistics as they were before a step, for steps that are left out."""

    def __init__(self, network: nn.Module) -> None:
        self._live = list(network.buffers())
        self._kept = [buffer.clone() for buffer in self._live]

    @torch.no_grad()
    def remember(self) -> None:
        if self._live:
            torch._foreach_copy_(self._kept, self._live)

    @torch.no_grad()
    def restore(self) -> None:
        if self._live:
            torch._foreach_copy_(self._live, self._kept)


def name_images(paths: tuple[str, ...]) -> str:
    """A list for a message, shortened."""
    named = ", ".join(paths[:_NAMED_IMAGES])
    rest = len(paths) - _NAMED_IMAGES
    return f"{named} and {rest} more" if rest > 0 else named


def _is_out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _out_of_memory(batch: TrainingBatch, device: torch.device) -> str:
    count, _, height, width = batch.images.shape
    return (
        f"out of memory on {device} with {count} images of {height} x {width} in this process;"
        f" lower --batch-size (gradients accumulate to the nominal batch, so results stay"
        " comparable), then --img; or use --precision bfloat16 or more processes"
    )
