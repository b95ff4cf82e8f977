"""Ranks: two measured with gloo on this machine, more by a model that is stated."""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.growth.measure import MODEL, median_seconds
from benchmarks.networks import our_network, parameters, training_batch
from benchmarks.settings import Settings
from benchmarks.works.training import our_stepper
from yolor_gp.engine.distributed.context import DistributedContext, open_context
from yolor_gp.process.allocator import keep_freed_memory

LINKS = {
    "10 Gbit/s Ethernet": 1.25e9,
    "100 Gbit/s network": 12.5e9,
    "PCIe 4 x16": 25e9,
    "NVLink 4 (450 GB/s a direction)": 450e9,
}
"""Bytes a second in one direction, as their makers state them."""

COUNTS = (2, 4, 8, 32, 128)
_IMAGES, _SIDE = 4, 320
_GRADIENT_BYTES = 4  # gradients are exchanged in float32


@dataclass(frozen=True)
class RankFigures:
    """Seconds of a step of `_IMAGES` images a rank, one thread each: alone, and two together.

    alone_together: two processes side by side that exchange nothing, which shows what sharing
    the machine costs; exchange: an all-reduce of all gradients by itself.
    """

    alone: float
    alone_together: float
    together: float
    exchange: float
    parameters: int


def exchange_seconds(count: int, numbers: float, bytes_a_second: float) -> float:
    """A ring all-reduce: every rank sends 2 (N - 1) / N of the volume over its link."""
    return 2 * (count - 1) / count * numbers * _GRADIENT_BYTES / bytes_a_second


def efficiency(count: int, step: float, numbers: float, bytes_a_second: float) -> float:
    """Throughput of N ranks as a share of N times one: a lower bound, as nothing overlaps."""
    return step / (step + exchange_seconds(count, numbers, bytes_a_second))


def measure_ranks(settings: Settings) -> RankFigures:
    """Starts one and then two processes."""
    count = parameters(our_network(MODEL))
    alone = _run(settings, 1, exchanging=False)
    apart = _run(settings, 2, exchanging=False)
    joined = _run(settings, 2, exchanging=True)
    return RankFigures(alone["step"], apart["step"], joined["step"], joined["exchange"], count)


def _run(settings: Settings, size: int, exchanging: bool) -> dict[str, float]:
    """The slowest process's figures."""
    context = multiprocessing.get_context("spawn")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    results = context.SimpleQueue()
    processes = [
        context.Process(target=_rank, args=(settings, rank, size, port, exchanging, results))
        for rank in range(size)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            raise RuntimeError(f"a rank ended with exit code {process.exitcode}")
    figures: list[dict[str, float]] = [results.get() for _ in processes]
    return {key: max(part[key] for part in figures) for key in figures[0]}


def _rank(
    settings: Settings, rank: int, size: int, port: int, exchanging: bool, results: Any
) -> None:
    keep_freed_memory()
    torch.set_num_threads(1)
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(size),
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port),
    )  # fmt: skip
    context = open_context("cpu") if size > 1 else DistributedContext()
    torch.manual_seed(0)
    network = our_network(MODEL).train()
    step = our_stepper(settings, network, context if exchanging else DistributedContext())
    batch = training_batch(_IMAGES, _SIDE, seed=rank).ours()
    context.barrier()
    seconds = median_seconds(lambda: step(batch))
    context.barrier()
    volume = torch.zeros(parameters(network))
    exchange = median_seconds(_counted(context, volume)) if exchanging else 0.0
    results.put({"step": seconds, "exchange": exchange})
    context.barrier()
    context.close()


def _counted(context: DistributedContext, volume: torch.Tensor) -> Callable[[], Any]:
    return lambda: context.sum(volume)


def model_table(step: float, numbers: float) -> list[tuple[str, ...]]:
    """Rows of link, then milliseconds of exchange and efficiency for each of `COUNTS`."""
    rows = []
    for name, speed in LINKS.items():
        cells = [
            f"{1e3 * exchange_seconds(count, numbers, speed):.1f} ms,"
            f" {efficiency(count, step, numbers, speed):.1%}"
            for count in COUNTS
        ]
        rows.append((name, *cells))
    return rows
