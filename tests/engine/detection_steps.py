"""A small detection network and a batch for it, on whatever device."""

from __future__ import annotations

import torch

from yolor_gp.config.model_spec import load_model_spec
from yolor_gp.config.train_config import EmaConfig, LossConfig, OptimizerConfig
from yolor_gp.detection.task import detection_loss
from yolor_gp.engine.checkpoints.progress import Progress
from yolor_gp.engine.distributed.context import DistributedContext
from yolor_gp.engine.ema import ModelEMA
from yolor_gp.engine.optimizer import build_optimizer
from yolor_gp.engine.precision import LossScaler, Precision
from yolor_gp.engine.step import Stepper
from yolor_gp.engine.task import Task
from yolor_gp.engine.training_state import TrainingState
from yolor_gp.models.builder import build_network
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.structures.batch import Batch, Targets
from yolor_gp.structures.sample import ImageMeta

SIDE = 64
NAMES = ("a", "b", "c")


def batch(objects: int = 5) -> Batch:
    """Two images on the host."""
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(objects, 2, generator=generator) * SIDE / 2
    boxes = torch.cat((corners, corners + SIDE / 3), dim=1)
    image = torch.arange(objects) * 2 // max(objects, 1)
    labels = torch.arange(objects) % len(NAMES)
    index_map = torch.randint(0, 3, (2, SIDE // 4, SIDE // 4), generator=generator).byte()
    metas = tuple(ImageMeta(number, f"{number}.jpg", (SIDE, SIDE)) for number in range(2))
    images = torch.randint(0, 256, (2, 3, SIDE, SIDE), generator=generator).byte()
    return Batch(images, Targets(image, boxes, labels, index_map), metas)


def network(device: torch.device) -> DetectionNetwork:
    """yolor-elan-n; the same weights on every device that has any."""
    spec = load_model_spec("yolor-elan-n").with_classes(len(NAMES))
    torch.manual_seed(0)
    built = build_network(spec, device="meta" if device.type == "meta" else "cpu", names=NAMES)
    assert isinstance(built, DetectionNetwork) and built.has_masks
    return built.to(device)


def stepper(built: DetectionNetwork, device: torch.device, precision: Precision) -> Stepper:
    """As training makes it."""
    on_host = network(torch.device("cpu"))
    criterion = detection_loss(on_host, LossConfig(), SIDE, DistributedContext())
    optimizer = build_optimizer(built, OptimizerConfig(), 5e-4)
    task = Task(built, criterion, loader=None, validate=None, description={})  # type: ignore[arg-type]
    state = TrainingState(
        task, optimizer, LossScaler(precision), ModelEMA(built, EmaConfig()), Progress()
    )
    return Stepper(
        state,
        built,
        precision=precision,
        context=DistributedContext(),
        device=device,
        clip_norm=10.0,
    )
