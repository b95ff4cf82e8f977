from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from tests.engine.tiny_task import CPU, Batch, Meta, tiny_network
from yolor_gp.config.run_settings import RunSettings
from yolor_gp.config.train_config import EmaConfig
from yolor_gp.engine.auto_batch import CPU_BATCH, largest_batch, with_batch
from yolor_gp.engine.checkpoints.progress import Progress
from yolor_gp.engine.distributed.context import DistributedContext
from yolor_gp.engine.ema import ModelEMA
from yolor_gp.engine.precision import (
    LossScaler,
    Precision,
    choose_detection_precision,
    choose_precision,
    choose_validation_precision,
    to_float32,
    training_device,
)
from yolor_gp.engine.step import Stepper
from yolor_gp.engine.task import Evaluation, Task
from yolor_gp.engine.training_run import prepare_process
from yolor_gp.engine.training_state import TrainingState
from yolor_gp.errors import UserError


@dataclass(frozen=True)
class Pair:
    half: Tensor
    parts: tuple[Tensor, ...]
    number: int


def test_halves_become_float32_wherever_they_are() -> None:
    half = torch.ones(2, dtype=torch.bfloat16)
    pair = to_float32(Pair(half, (half, torch.ones(1, dtype=torch.int64)), 3))
    assert pair.half.dtype == pair.parts[0].dtype == torch.float32
    assert pair.parts[1].dtype == torch.int64 and pair.number == 3


@pytest.mark.parametrize(
    ("able", "expected"),
    [({}, "float32"), ({"amx_bf16": True}, "bfloat16"), ({"avx512_bf16": True}, "bfloat16")],
)
def test_automatic_precision_on_a_cpu(
    able: dict[str, bool], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: able)
    assert choose_precision("auto", CPU).name == expected
    assert choose_detection_precision("auto", CPU).name == expected
    assert choose_validation_precision("auto", CPU).name == "float32"
    assert choose_validation_precision("bfloat16", CPU).name == "bfloat16"


def test_what_a_device_cannot_do_is_refused() -> None:
    with pytest.raises(UserError, match="--precision float16: needs a CUDA device"):
        choose_precision("float16", CPU)
    with pytest.raises(UserError, match="--device gpu: expected"):
        training_device("gpu")
    with pytest.raises(UserError, match="--device 99: GPU 99 asked for"):
        training_device("99")
    with pytest.raises(UserError, match="--device 1: 4 processes cannot share one GPU"):
        training_device("1", 0, 4)


@dataclass(frozen=True)
class OneLoss:
    total: Tensor


class Seen:
    """A criterion that notes what it is given."""

    def __init__(self) -> None:
        self.types: list[torch.dtype] = []
        self.products: list[torch.dtype] = []

    def __call__(self, outputs: Tensor, targets: Tensor) -> OneLoss:
        self.types.append(outputs.dtype)
        self.products.append((outputs @ outputs.T).dtype)
        return OneLoss((outputs - targets).square().sum())


def stepper(network: nn.Module, criterion: Seen, precision: Precision) -> Stepper:
    task = Task(network, criterion, [], lambda *_: Evaluation(0.0, {}), {})  # type: ignore[arg-type]
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    ema = ModelEMA(network, EmaConfig())
    state = TrainingState(task, optimizer, LossScaler(precision), ema, Progress())
    return Stepper(
        state, network, precision=precision, context=DistributedContext(), device=CPU, clip_norm=1.0
    )


def batch(count: int = 2) -> Batch:
    metas = tuple(Meta(f"{index}.jpg") for index in range(count))
    return Batch(torch.rand(count, 3, 8, 8), torch.zeros(count, 1), metas)


def test_the_network_computes_in_halves_and_the_loss_in_float32() -> None:
    torch.manual_seed(0)
    network, criterion = tiny_network(), Seen()
    inside: list[torch.dtype] = []
    network[0].register_forward_hook(lambda *items: inside.append(items[2].dtype))
    one = stepper(network, criterion, Precision("bfloat16", "cpu"))
    one.accumulate(batch(), last=True)
    assert inside == [torch.bfloat16]
    assert criterion.types == criterion.products == [torch.float32]
    assert all(p.dtype == torch.float32 for p in network.parameters())


def test_the_gradient_is_clipped() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 1))
    before = [p.detach().clone() for p in network.parameters()]
    one = stepper(network, Seen(), Precision("float32", "cpu"))
    one.accumulate(batch(), last=True)
    report = one.apply(None, ())
    moved = torch.stack(
        [(p - old).norm() for p, old in zip(network.parameters(), before, strict=True)]
    )
    assert report.norm > 1
    assert moved.norm().item() == pytest.approx(0.1, rel=1e-4)  # lr times a norm of 1


def test_out_of_memory_says_what_to_lower() -> None:
    class Hungry(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, images: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

    one = stepper(Hungry(), Seen(), Precision("float32", "cpu"))
    with pytest.raises(UserError, match=r"with 2 images of 8 x 8 .*; lower --batch-size"):
        one.accumulate(batch(), last=True)


def test_automatic_batch_on_a_cpu() -> None:
    def fail(size: int) -> Task:
        raise AssertionError("nothing to try")

    precision = Precision("float32", "cpu")
    assert largest_batch(fail, precision, CPU, 64) == CPU_BATCH
    assert largest_batch(fail, precision, CPU, 4) == 4


def test_automatic_batch_and_precision_of_a_run() -> None:
    def fail(settings: RunSettings, context: DistributedContext) -> Task:
        raise AssertionError("nothing to try")

    precision, alone = Precision("float32", "cpu"), DistributedContext()
    for given, expected in ((0, CPU_BATCH), (6, 6)):
        found = with_batch(RunSettings(batch_size=given), fail, precision, CPU, alone)
        assert (found.batch_size, found.precision) == (expected, "float32")


def test_a_process_is_deterministic_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", torch.backends.cudnn.benchmark)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", torch.backends.cudnn.deterministic)
    try:
        prepare_process(RunSettings(device="cpu", deterministic=True, log=()), DistributedContext())
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
