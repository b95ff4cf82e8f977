"""From images in the network's frame to detections: shared by validation and prediction."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.detection.postprocess import postprocess
from yolor_gp.detection.stage_clock import StageClock
from yolor_gp.engine.precision import Precision, to_float32
from yolor_gp.errors import UserError
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.structures.detections import Detections


@dataclass(frozen=True)
class Inference:
    """A network with everything that decides its detections.

    class_agnostic, classes, least: as in `postprocess`; clock: is told where the time goes.
    """

    network: DetectionNetwork
    config: ValidationConfig
    device: torch.device
    precision: Precision
    class_agnostic: bool = False
    classes: tuple[int, ...] | None = None
    least: tuple[float, ...] | None = None
    clock: StageClock = field(default_factory=StageClock, compare=False)

    @staticmethod
    def of(
        network: DetectionNetwork,
        config: ValidationConfig,
        device: torch.device,
        precision: Precision,
        *,
        class_agnostic: bool = False,
        classes: tuple[int, ...] | None = None,
        least: tuple[float, ...] | None = None,
        clock: StageClock | None = None,
    ) -> Inference:
        """Put `network` in eval mode and in the memory layout of the precision."""
        precision.prepare(network.eval())
        return Inference(
            network, config, device, precision, class_agnostic, classes, least,
            clock or StageClock(),
        )  # fmt: skip

    @torch.no_grad()
    def __call__(self, images: Tensor) -> list[Detections]:
        """u8[B, 3, H, W] -> one `Detections` per image, in the frame of the images."""
        with self.clock.stage("network"):
            scaled = self.precision.images(images, self.device)
            with self.precision.autocast():
                predictions = to_float32(self.network(scaled))
        with self.clock.stage("suppression"):
            return postprocess(
                self.network.head.candidates(predictions, self.config.confidence),
                self.config,
                class_agnostic=self.class_agnostic,
                classes=self.classes,
                least=self.least,
            )


def check_overlap(iou: float, usual: str) -> None:
    """Refuse a threshold of non-maximum suppression that cannot be meant.

    Raises:
        UserError: When it is 0, or no number from 0 to 1.
    """
    if iou == 0:
        raise UserError(f"--iou 0: would drop every box that touches another; use {usual}")
    if not 0 < iou <= 1:
        raise UserError(f"--iou {iou}: expected a number from 0 to 1")
