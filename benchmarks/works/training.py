"""One training step: forward, loss, backward, optimizer, moving average; the batch is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.networks import our_network, parameters, training_batch, yolov5_network
from benchmarks.settings import Settings
from benchmarks.timing import Run, Timed, timed
from benchmarks.work import Target, Work
from yolor_gp.config.train_config import TrainConfig
from yolor_gp.detection.task import detection_loss
from yolor_gp.engine.checkpoints.progress import Progress
from yolor_gp.engine.distributed.context import DistributedContext
from yolor_gp.engine.ema import ModelEMA
from yolor_gp.engine.optimizer import build_optimizer
from yolor_gp.engine.precision import LossScaler, choose_precision
from yolor_gp.engine.step import Stepper
from yolor_gp.engine.task import Task
from yolor_gp.engine.training_state import TrainingState
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.structures.batch import Batch

LOSS_SETTINGS = {
    "box": 0.05, "cls": 0.3, "obj": 0.7, "cls_pw": 1.0, "obj_pw": 1.0, "fl_gamma": 0.0,
    "anchor_t": 4.0, "label_smoothing": 0.0,
}  # fmt: skip
"""In yolov5's words, the same recipe as this project's default."""


def ours(settings: Settings, model: str, batch: int) -> Run:
    """The engine's own stepper with its default settings for the device."""
    torch.set_num_threads(settings.threads)
    network = our_network(model).to(settings.device).train()
    step = our_stepper(settings, network)
    data = training_batch(batch, settings.image_size).ours()
    return _with_facts(
        timed(lambda _: step(data), device=settings.device), network, settings, batch
    )


def our_stepper(
    settings: Settings, network: DetectionNetwork, context: DistributedContext | None = None
) -> Callable[[Batch], None]:
    """A whole step as training does it: forward, loss, backward, update, average."""
    context = context or DistributedContext()
    device, config = torch.device(settings.device), TrainConfig()
    precision = choose_precision("auto", device)
    precision.prepare(network)
    criterion = detection_loss(network, config.loss, settings.image_size, context)
    optimizer = build_optimizer(network, config.optimizer, config.optimizer.weight_decay)
    ema = ModelEMA(network, config.ema)
    task: Any = Task(network, criterion, loader=None, validate=None, description={})  # type: ignore[arg-type]
    state = TrainingState(task, optimizer, LossScaler(precision), ema, Progress())
    stepper = Stepper(
        state,
        context.wrap(network),
        precision=precision,
        context=context,
        device=device,
        clip_norm=config.optimizer.clip_norm,
    )

    def step(batch: Batch) -> None:
        stepper.accumulate(batch, last=True)
        if stepper.apply(None, ()).applied:
            ema.update()

    return step


def _with_facts(run: Run, network: nn.Module, settings: Settings, batch: int) -> Run:
    """Adds parameters and, on CUDA, peak memory to the result; values in images a second there."""
    facts: dict[str, Any] = {"parameters": parameters(network)}
    on_gpu = settings.device.startswith("cuda")

    def measured() -> Timed:
        if on_gpu:
            torch.cuda.reset_peak_memory_stats(settings.device)
        one = run()
        if on_gpu:
            facts["memory"] = torch.cuda.max_memory_allocated(settings.device) / 2**30
        value = batch / one.value if on_gpu else one.value
        return Timed(value, dict(facts), one.processor)

    return measured


class _PeerStep:
    """The order of a step both peers document: scaled loss, unscale, clip, step, average."""

    def __init__(
        self, settings: Settings, optimizer: Any, average: Any, network: nn.Module
    ) -> None:
        self.device = torch.device(settings.device)
        self.half = self.device.type == "cuda"
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.half)
        self.optimizer, self.average, self.network = optimizer, average, network

    def images(self, images: Tensor) -> Tensor:
        return images.to(self.device, non_blocking=True).float() / 255

    def __call__(self, loss: Any) -> None:
        with torch.autocast(self.device.type, dtype=torch.float16, enabled=self.half):
            total = loss()
        self.scaler.scale(total).backward()
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), max_norm=10.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()
        self.average.update(self.network)


def yolov5(settings: Settings, model: str, batch: int) -> Run:
    """The parts of the package: network, `ComputeLoss`, `smart_optimizer`, `ModelEMA`."""
    from yolov5.utils.segment.loss import ComputeLoss
    from yolov5.utils.torch_utils import ModelEMA, smart_optimizer

    torch.set_num_threads(settings.threads)
    network = yolov5_network(model).to(settings.device).train()
    network.hyp, network.nc = LOSS_SETTINGS, 80
    criterion = ComputeLoss(network, overlap=True)
    optimizer = smart_optimizer(network, "SGD", 0.01, 0.937, 5e-4)
    step = _PeerStep(settings, optimizer, ModelEMA(network), network)
    data = training_batch(batch, settings.image_size)
    targets = data.relative()

    def work(_: None) -> None:
        images = step.images(data.images)
        here, masks = targets.to(step.device), data.index_map.to(step.device).float()
        step(lambda: criterion(network(images), here, masks=masks)[0])

    return _with_facts(timed(work, device=settings.device), network, settings, batch)


def ultralytics(settings: Settings, model: str, batch: int) -> Run:
    """Its own network `model` with its loss and `ModelEMA`; another network than ours."""
    from ultralytics.cfg import get_cfg
    from ultralytics.nn.tasks import SegmentationModel
    from ultralytics.utils.torch_utils import ModelEMA

    torch.set_num_threads(settings.threads)
    network = SegmentationModel(f"{model}.yaml", verbose=False).to(settings.device).train()
    network.args = get_cfg(overrides={"task": "segment"})
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.937, nesterov=True)
    step = _PeerStep(settings, optimizer, ModelEMA(network), network)
    data = training_batch(batch, settings.image_size)
    rows = data.relative()

    def work(_: None) -> None:
        inputs = {
            "img": step.images(data.images),
            "batch_idx": rows[:, 0].to(step.device),
            "cls": rows[:, 1:2].to(step.device),
            "bboxes": rows[:, 2:].to(step.device),
            "masks": data.index_map.to(step.device).float(),
        }
        step(lambda: network.loss(inputs)[0].sum())

    return _with_facts(timed(work, device=settings.device), network, settings, batch)


def agree(mine: Any, theirs: Any) -> str:
    """Says whether the networks are of one size, and what memory they took."""
    sizes = (mine["parameters"], theirs["parameters"])
    text = f"{sizes[0]:,} and {sizes[1]:,} parameters"
    if sizes[0] == sizes[1]:
        text = f"the same network of {sizes[0]:,} parameters"
    if "memory" in mine:
        text += f"; peak memory {mine['memory']:.2f} and {theirs['memory']:.2f} GiB"
    return text


_HERE = "benchmarks.works.training"


def _step(model: str, peer: str, setup: str, target: Target | None, on_gpu: bool = False) -> Work:
    batch = 32 if on_gpu else 8
    against = "" if peer == model else f", against {peer}"
    return Work(
        name=f"step-{model}" if peer == model else f"step-{model}-{peer}",
        title=f"training step, {model}, batch {batch}, 640{against}",
        ours=f"{_HERE}:ours",
        peers={setup: f"{_HERE}:{setup}"},
        unit="images/s" if on_gpu else "s",
        rate=on_gpu,
        target=target,
        repeats=15 if on_gpu else 5,
        devices=("cuda",) if on_gpu else ("cpu",),
        arguments={"model": model, "batch": batch},
        peer_arguments={"model": peer, "batch": batch},
        agree=agree,
    )


WORKS = (
    _step("yolov5n-seg", "yolov5n-seg", "yolov5", Target("at most", 0.45)),
    _step("yolov5s-seg", "yolov5s-seg", "yolov5", Target("at most", 0.45)),
    _step("yolov5n-seg", "yolov8n-seg", "ultralytics", None),
    _step("yolov5s-seg", "yolov5s-seg", "yolov5", None, on_gpu=True),
    _step("yolov5l-seg", "yolov5l-seg", "yolov5", None, on_gpu=True),
)
