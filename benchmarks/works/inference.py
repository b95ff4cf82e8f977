"""From a batch of images in the network's frame to detections, without drawing masks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from benchmarks.networks import our_network, parameters, training_batch, yolov5_network
from benchmarks.settings import Settings
from benchmarks.timing import Run, timed
from benchmarks.work import Target, Work
from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.detection.inference import Inference
from yolor_gp.engine.precision import choose_detection_precision
from yolor_gp.models.fuse import fuse

CONFIDENCE, OVERLAP = 0.25, 0.45


def ours(settings: Settings, model: str, batch: int, precision: str = "auto") -> Run:
    """`engine.inference.Inference` on the folded network."""
    torch.set_num_threads(settings.threads)
    device = torch.device(settings.device)
    network = fuse(our_network(model).to(device).eval())
    config = ValidationConfig(confidence=CONFIDENCE, nms_iou=OVERLAP)
    chosen = choose_detection_precision(precision, device)
    inference = Inference.of(network, config, device, chosen)
    images = training_batch(batch, settings.image_size).images.to(device)
    return _facts(timed(lambda _: inference(images), device=settings.device), network)


def yolov5(settings: Settings, model: str, batch: int) -> Run:
    """The package's network, folded, and its `non_max_suppression`; float16 on CUDA."""
    from yolov5.utils.general import non_max_suppression

    torch.set_num_threads(settings.threads)
    half = settings.device.startswith("cuda")
    network = yolov5_network(model).to(settings.device).eval().fuse()
    network = network.half() if half else network.float()
    images = training_batch(batch, settings.image_size).images.to(settings.device)

    @torch.inference_mode()
    def work(_: None) -> Any:
        scaled = (images.half() if half else images.float()) / 255
        return non_max_suppression(network(scaled)[0], CONFIDENCE, OVERLAP, nm=32)

    return _facts(timed(work, device=settings.device), network)


def _facts(run: Run, network: Any) -> Run:
    count = parameters(network)
    return lambda: replace(run(), result=count)


def agree(mine: Any, theirs: Any) -> str:
    """The folded networks are of one size."""
    assert mine == theirs, f"{mine:,} and {theirs:,} parameters"
    return f"the same network of {mine:,} parameters, folded"


def _work(
    batch: int, devices: tuple[str, ...], target: Target | None, precision: str = "auto"
) -> Work:
    here = "benchmarks.works.inference"
    is_default = precision == "auto"
    arguments = {"model": "yolov5s-seg", "batch": batch}
    return Work(
        name=f"inference-{batch}" + ("" if is_default else f"-{precision}"),
        title=f"inference, yolov5s-seg, batch {batch}, 640"
        + ("" if is_default else f", `--precision {precision}`"),
        ours=f"{here}:ours",
        peers={"yolov5": f"{here}:yolov5"},
        unit="ms",
        scale=1e3,
        target=target,
        repeats=15,
        devices=devices,
        arguments={**arguments, "precision": precision},
        peer_arguments=arguments,
        agree=agree,
    )


_TARGET = Target("at most", 0.47)

WORKS = (
    _work(1, ("cpu", "cuda"), _TARGET),
    _work(1, ("cpu",), None, "float32"),
    _work(32, ("cuda",), None),
)
