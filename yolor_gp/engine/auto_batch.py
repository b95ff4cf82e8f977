"""`--batch-size auto`: the largest power of two that a GPU's memory takes."""

from __future__ import annotations

from collections.abc import Callable

import torch

from yolor_gp.config.run_settings import SettingsOfRun
from yolor_gp.engine.distributed.context import DistributedContext
from yolor_gp.engine.precision import Precision, to_float32
from yolor_gp.engine.task import Task
from yolor_gp.errors import UserError

CPU_BATCH = 16
"""On a CPU memory is not what limits the batch."""

_SHARE_OF_MEMORY = 0.85


def with_batch(
    config: SettingsOfRun,
    make_task: Callable[[SettingsOfRun, DistributedContext], Task],
    precision: Precision,
    device: torch.device,
    context: DistributedContext,
) -> SettingsOfRun:
    """The settings with precision and batch size as they are; `auto` is what all processes hold.

    make_task: as it would be trained by one process.
    """
    images = config.batch_size
    if images == 0:
        alone = config.model_copy(update={"workers": 0})
        per_process = largest_batch(
            lambda size: make_task(
                alone.model_copy(update={"batch_size": size}), DistributedContext()
            ),
            precision,
            device,
            config.recipe.optimizer.nominal_batch // context.size,
        )
        images = min(context.gather(per_process)) * context.size
    return config.model_copy(update={"batch_size": images, "precision": precision.name})


def largest_batch(
    make_task: Callable[[int], Task], precision: Precision, device: torch.device, most: int
) -> int:
    """The largest power of two, at most `most`, whose forward and backward pass fit `device`.

    make_task: builds the task for a batch size, all around one network, whose running statistics
    are as before afterwards.

    Raises:
        UserError: When not even one image fits.
    """
    if device.type != "cuda":
        return min(CPU_BATCH, max(most, 1))
    fitting, size = 0, 1
    while size <= max(most, 1):
        if not _fits(make_task(size), precision, device):
            break
        fitting, size = size, size * 2
    torch.cuda.empty_cache()
    if fitting == 0:
        raise UserError(f"{device}: not even one image fits into its memory; lower --img")
    return fitting


def _fits(task: Task, precision: Precision, device: torch.device) -> bool:
    network = task.network
    before = [buffer.clone() for buffer in network.buffers()]
    limit = torch.cuda.get_device_properties(device).total_memory * _SHARE_OF_MEMORY
    torch.cuda.reset_peak_memory_stats(device)
    try:
        batch = next(iter(task.loader.epoch(0)))
        with precision.autocast():
            outputs = network.train()(precision.images(batch.images, device))
        with precision.full():
            losses = task.criterion(to_float32(outputs), batch.targets)
        losses.total.backward()  # type: ignore[no-untyped-call]
        return torch.cuda.max_memory_allocated(device) < limit
    except torch.OutOfMemoryError:
        return False
    finally:
        network.zero_grad(set_to_none=True)
        for buffer, old in zip(network.buffers(), before, strict=True):
            buffer.copy_(old)
