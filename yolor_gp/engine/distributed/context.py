"""One to many processes, started by torchrun; the only file that knows torch.distributed.

Everything else asks a `DistributedContext`, which for a single process answers without any
communication.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from yolor_gp.engine.distributed.heartbeat import FAILED, Heartbeat
from yolor_gp.engine.distributed.rendezvous import agree_on_token
from yolor_gp.engine.signals import termination_ignored
from yolor_gp.errors import EXIT_LOST_PEER, LostPeerError, UserError

Value = TypeVar("Value")

# torch 2.15 renamed the argument, and warns of the old name.
_NAMES = inspect.signature(DistributedDataParallel.__init__).parameters
_WITHOUT_BUFFERS: dict[str, Any] = {
    "forward_sync_buffers" if "forward_sync_buffers" in _NAMES else "broadcast_buffers": False
}


class CollectiveError(RuntimeError):
    """A collective call of this process failed: gloo says so by a bare RuntimeError."""


@contextmanager
def _collective() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise CollectiveError(str(error)) from error


@dataclass(frozen=True)
class DistributedContext:
    """This process among those of the run: `rank` of `size`, `local_rank` on its machine."""

    rank: int = 0
    local_rank: int = 0
    size: int = 1
    restarts: int = 0
    run_id: str = ""
    heartbeat: Heartbeat | None = None
    objects: Any = None  # the process group that carries Python objects, on the CPU

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0

    def sum(self, tensor: Tensor) -> Tensor:
        """`tensor` added over all processes (a new tensor, no gradient)."""
        total = tensor.detach().clone()
        if self.size > 1:
            with _collective():
                dist.all_reduce(total)
        return total

    def gather(self, value: Value) -> list[Value]:
        """The picklable `value` of every process, in rank order, on every process."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        with _collective():
            dist.all_gather_object(values, value, group=self.objects)
        return values

    def gather_to_main(self, value: Value) -> list[Value] | None:
        """The picklable `value` of every process, in rank order, on rank 0; None elsewhere."""
        if self.size == 1:
            return [value]
        values: list[Any] | None = [None] * self.size if self.is_main else None
        with _collective():
            dist.gather_object(value, values, dst=0, group=self.objects)
        return values

    def broadcast(self, value: Value) -> Value:
        """Rank 0's picklable `value`, on every process."""
        if self.size == 1:
            return value
        values = [value]
        with _collective():
            dist.broadcast_object_list(values, src=0, group=self.objects)
        return values[0]

    def broadcast_buffers(self, network: nn.Module) -> None:
        """Give every process rank 0's buffers (running statistics differ between ranks)."""
        if self.size > 1:
            with _collective():
                for buffer in network.buffers():
                    dist.broadcast(buffer, src=0)

    def broadcast_weights(self, network: nn.Module) -> None:
        """Give every process rank 0's parameters and buffers."""
        self.broadcast_buffers(network)
        if self.size > 1:
            with _collective(), torch.no_grad():
                for parameter in network.parameters():
                    dist.broadcast(parameter, src=0)

    def barrier(self) -> None:
        """Wait for all processes."""
        if self.size > 1:
            with _collective():
                dist.barrier(group=self.objects)

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network as it is called in training: gradients are averaged over the processes.

        Buffers are not exchanged: in training a normalisation uses its own batch (or SyncBN), and
        rank 0's running statistics are the ones kept.
        """
        if self.size == 1:
            return network
        on_gpu = next(network.parameters()).is_cuda
        return DistributedDataParallel(
            network,
            device_ids=[self.local_rank] if on_gpu else None,
            gradient_as_bucket_view=True,
            **_WITHOUT_BUFFERS,
        )

    @contextmanager
    def backward(self, wrapped: nn.Module, *, exchange: bool) -> Iterator[None]:
        """Around a backward pass: gradients are averaged over the processes, or only accumulated.

        What fails in it is the network's fault or the exchange's; which, the other processes tell.

        Yields:
            Nothing; the pass is made inside.

        Raises:
            LostPeerError: When another process turns out to be gone.
            OutOfMemoryError: When this process's device is full.
            RuntimeError: What else the network raises, as it is.
        """
        if not isinstance(wrapped, DistributedDataParallel):
            yield
            return
        try:
            with nullcontext() if exchange else wrapped.no_sync():
                yield
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            message = self._explained()
            if message is None:
                raise
            raise LostPeerError(message) from error

    @contextmanager
    def peers_named(self) -> Iterator[None]:
        """Turns the failure of a collective into `LostPeerError`, naming the rank that is gone.

        Yields:
            Nothing; the collective is called inside.

        Raises:
            LostPeerError: When another process is gone.
            CollectiveError: As it came, where no heartbeat tells which.
            DistError: Likewise.
        """
        try:
            yield
        except (CollectiveError, dist.DistError) as error:
            if self.heartbeat is None:
                raise
            reason = str(error).strip().splitlines()[0]
            raise LostPeerError(self._explained() or f"a collective failed: {reason}") from error

    def _explained(self) -> str | None:
        """Which process is gone, as far as can be found out in a while."""
        if self.heartbeat is None:
            return None
        # torchrun, too, has noticed by now, and asks everybody to end.
        with termination_ignored():
            return self.heartbeat.explain(patience=10 * self.heartbeat.interval)

    def close(self, failure: str | None = None) -> None:
        """Leave the run; `failure` is what the other processes are told."""
        if self.heartbeat is not None:
            if failure is None:
                self.heartbeat.stop()
            else:
                self.heartbeat.stop(FAILED, failure)
        if self.size > 1 and failure is None:
            dist.destroy_process_group()


def launcher_words(processes: int) -> list[str]:
    """What Python is called with to start so many processes of a program on this machine."""
    return ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]


def started_by_torchrun() -> bool:
    """Whether torchrun (or anything that sets its variables) started this process."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def open_context(
    device_type: str, *, timeout: float = 600, heartbeat: float = 120
) -> DistributedContext:
    """Join the run that torchrun describes in the environment, or be alone.

    timeout: seconds a collective may take; heartbeat: seconds of silence after which a process
    counts as lost. NCCL on GPUs, gloo on CPUs.

    Raises:
        UserError: When the others cannot be reached.
    """
    restarts = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    run_id = os.environ.get("TORCHELASTIC_RUN_ID", "")
    if not started_by_torchrun() or int(os.environ["WORLD_SIZE"]) == 1:
        return DistributedContext(restarts=restarts, run_id=run_id)
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    limit = timedelta(seconds=timeout)
    if device_type == "cuda":
        torch.cuda.set_device(local_rank)
    try:
        store = _store(limit)
        token = agree_on_token(store, rank, size, timeout)
        dist.init_process_group(
            "nccl" if device_type == "cuda" else "gloo",
            store=dist.PrefixStore(token, store),  # type: ignore[attr-defined]
            rank=rank,
            world_size=size,
            timeout=limit,
            device_id=torch.device("cuda", local_rank) if device_type == "cuda" else None,
        )
    except (RuntimeError, ValueError, TimeoutError) as error:
        reason = str(error).strip().splitlines()[0]
        address = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        raise UserError(f"rank {rank} of {size}: cannot join the run at {address}: {reason}") from (
            error
        )
    objects = dist.new_group(backend="gloo", timeout=limit) if device_type == "cuda" else None
    watcher = _start_heartbeat(rank, size, heartbeat, f"{token}/", objects)
    return DistributedContext(rank, local_rank, size, restarts, run_id, watcher, objects)


@contextmanager
def joined_context(
    device_type: str, *, timeout: float, heartbeat: float
) -> Iterator[DistributedContext]:
    """The context, opened before the block and left after it.

    Other processes are told when the block fails here.

    Yields:
        The context.

    Raises:
        LostPeerError: When another process was lost; the message is for people.
    """
    context = open_context(device_type, timeout=timeout, heartbeat=heartbeat)
    try:
        with context.peers_named():
            yield context
    except LostPeerError as error:
        context.close("it lost another process")
        raise LostPeerError(lost_peer_message(str(error), context.rank)) from error
    except BaseException as error:
        context.close(" ".join(str(error).split()) or type(error).__name__)
        raise
    context.close()


def per_rank_batch_size(global_batch: int, context: DistributedContext) -> int:
    """Images per process of a global batch.

    Raises:
        UserError: When it does not divide.
    """
    if global_batch % context.size:
        lower = max(global_batch // context.size, 1) * context.size
        raise UserError(
            f"--batch-size {global_batch}: is the number of images over all {context.size}"
            f" processes and must divide by it; use {lower} or {lower + context.size}"
        )
    return global_batch // context.size


def synchronise_batchnorm(network: nn.Module) -> nn.Module:
    """The network with statistics taken over all processes (GPUs only)."""
    convert = nn.SyncBatchNorm.convert_sync_batchnorm
    synchronised: nn.Module = convert(network)  # type: ignore[no-untyped-call]
    return synchronised


def lost_peer_message(message: str, rank: int) -> str:
    """What a surviving process prints."""
    return (
        f"rank {rank}: {message}; this process ends too. The last checkpoint is intact: look at"
        " the lost process's output, then resume (torchrun --max-restarts resumes by itself)"
    )


def _store(limit: timedelta) -> Any:
    """torchrun's store, or one that the first process opens where something else started us."""
    served = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    return _connect(limit, is_master=not served and os.environ["RANK"] == "0")


def _connect(limit: timedelta, *, is_master: bool = False) -> Any:
    return dist.TCPStore(  # type: ignore[attr-defined]
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        is_master=is_master,
        timeout=limit,
        wait_for_workers=False,
    )


def _start_heartbeat(rank: int, size: int, timeout: float, prefix: str, objects: Any) -> Heartbeat:
    # A connection of its own: a store client serves one caller at a time, and the collectives'
    # client may be waiting.
    store = _connect(timedelta(seconds=max(timeout, 10)))

    def leave(message: str) -> None:
        sys.stderr.write(lost_peer_message(message, rank) + "\n")
        sys.stderr.flush()
        # The main thread may be inside a collective that never returns.
        os._exit(EXIT_LOST_PEER)

    watcher = Heartbeat(store, rank, size, timeout=timeout, on_loss=leave, prefix=prefix)
    dist.barrier(group=objects)  # everybody has beaten once
    watcher.start()
    return watcher
