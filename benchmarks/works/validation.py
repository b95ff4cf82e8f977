"""Validation of a whole set with masks, against boxes only."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.datasets import open_given
from benchmarks.networks import our_network
from benchmarks.settings import Settings
from benchmarks.timing import Run, timed
from benchmarks.work import Target, Work
from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.data.loading.loader import val_loader
from yolor_gp.detection.evaluate import evaluate
from yolor_gp.detection.networks import load_network
from yolor_gp.evaluation.coco_evaluator import CocoEvaluator
from yolor_gp.models.fuse import fuse
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.structures.predictions import RawPredictions

_EAGER = 4.0
"""Added to the objectness of a random network, so that it finds 300 objects in every image."""


class _BoxesOnly(torch.nn.Module):
    """The same network without its prototypes and coefficients."""

    def __init__(self, network: DetectionNetwork) -> None:
        super().__init__()
        self.network, self.head = network, network.head

    def forward(self, images: torch.Tensor) -> RawPredictions:
        """As the network, in the shapes of one without masks."""
        raw = self.network(images)
        kept = 5 + raw.num_classes
        levels = tuple(
            type(level)(level.logits[..., :kept], level.anchors, level.stride)
            for level in raw.levels
        )
        return RawPredictions(levels, None, raw.num_classes)


def ours(settings: Settings, masks: bool) -> Run:
    """`engine.evaluate.evaluate` from reading the pictures to the figures."""
    torch.set_num_threads(settings.threads)
    dataset = open_given(settings, "val")
    network = _network(settings, len(dataset.names))
    module: torch.nn.Module = network if masks else _BoxesOnly(network)
    evaluator = CocoEvaluator(dataset.ground_truth(), with_masks=masks)

    def work(_: None) -> dict[str, float]:
        loader = val_loader(dataset, batch_size=8, workers=0)
        device = torch.device(settings.device)
        result = evaluate(module, loader, evaluator, ValidationConfig(), device)  # type: ignore[arg-type]
        found = len(evaluator.results())
        figures = {"images": float(len(dataset)), "found": float(found), "box": result.bbox["AP"]}
        return figures | ({"mask": result.segm["AP"]} if result.segm is not None else {})

    return timed(work)


def _network(settings: Settings, classes: int) -> DetectionNetwork:
    if settings.weights is not None:
        return fuse(load_network(settings.weights, device=settings.device))
    torch.manual_seed(0)
    network = our_network("yolov5n-seg")
    with torch.no_grad():
        outputs = 3 * (5 + network.num_classes + 32)
        for bias in network.head.parameters():
            if bias.shape == (outputs,):
                bias.view(3, -1)[:, 4] += _EAGER
    return fuse(network.to(settings.device).eval())


def agree(mine: Any, boxes_only: Any) -> str:
    """The boxes are the same; how well the network does."""
    assert mine["box"] == boxes_only["box"] and mine["found"] == boxes_only["found"]
    return (
        f"{mine['images']:.0f} images, {mine['found'] / mine['images']:.0f} detections each,"
        f" AP box {mine['box']:.4f}, mask {mine['mask']:.4f}"
    )


WORKS = (
    Work(
        name="validation",
        title="validation with masks, yolov5n-seg, against boxes only",
        ours="benchmarks.works.validation:ours",
        peers={"boxes only": "benchmarks.works.validation:ours"},
        unit="s",
        target=Target("at most", 1.4),
        repeats=3,
        devices=("cpu", "cuda"),
        arguments={"masks": True},
        peer_arguments={"masks": False},
        agree=agree,
    ),
)
