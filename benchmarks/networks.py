"""The same network in every framework, and a batch for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from benchmarks.inputs import NUM_CLASSES, Array, instances
from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.models.builder import build_network
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.structures.batch import Batch, Targets
from yolor_gp.structures.sample import MASK_STRIDE, ImageMeta

WIDTHS = {"yolov5n-seg": 0.25, "yolov5s-seg": 0.5, "yolov5l-seg": 1.0}
DEPTHS = {"yolov5n-seg": 0.33, "yolov5s-seg": 0.33, "yolov5l-seg": 1.0}
OBJECTS = 16
"""Of a mosaic of four COCO images, about so many are left."""


def our_network(name: str) -> DetectionNetwork:
    """The YOLOv5 r6.2 segmentation network `name`, or a shipped model."""
    text = f"extends: {name}\n"
    if name in WIDTHS:
        text = (
            f"extends: table8-yolov5l-seg\nwidth_multiple: {WIDTHS[name]}\n"
            f"depth_multiple: {DEPTHS[name]}\n"
        )
    network = build_network(ModelSpec.from_text(text, f"{name}.yaml"))
    assert isinstance(network, DetectionNetwork)
    return network


def yolov5_network(name: str) -> Any:
    """The network of the package's own file."""
    import yolov5
    from yolov5.models.yolo import SegmentationModel

    file = Path(yolov5.__file__).parent / "models" / "segment" / f"{name}.yaml"
    return SegmentationModel(str(file), nc=NUM_CLASSES)


def parameters(network: Any) -> int:
    """How many numbers are trained."""
    return sum(parameter.numel() for parameter in network.parameters())


@dataclass(frozen=True)
class TrainingBatch:
    """images: u8[B, 3, S, S]; boxes: f32[T, 4] xyxy pixels; index_map: u8[B, S/4, S/4]."""

    images: Tensor
    image_index: Tensor
    boxes: Tensor
    labels: Tensor
    index_map: Tensor

    def ours(self) -> Batch:
        """As this project's loader gives it."""
        size = (int(self.images.shape[2]), int(self.images.shape[3]))
        metas = tuple(ImageMeta(i, f"{i}.jpg", size) for i in range(len(self.images)))
        targets = Targets(self.image_index, self.boxes, self.labels, self.index_map)
        return Batch(self.images, targets, metas)

    def relative(self) -> Tensor:
        """f32[T, 6]: image, class, centre and size relative to the image, as the field has it."""
        side = float(self.images.shape[-1])
        centre = (self.boxes[:, :2] + self.boxes[:, 2:]) / 2
        size = self.boxes[:, 2:] - self.boxes[:, :2]
        head = torch.stack((self.image_index, self.labels), dim=1).float()
        return torch.cat((head, centre / side, size / side), dim=1)


def training_batch(count: int, side: int, seed: int = 0) -> TrainingBatch:
    """Noise with ellipses for objects; the time of a step does not depend on what is seen."""
    random = np.random.default_rng(seed)
    boxes, labels, maps = [], [], []
    for image in range(count):
        found = instances(OBJECTS, (side, side), seed=seed + image)
        boxes.append(found.boxes)
        labels.append(found.labels)
        maps.append(_index_map(found.boxes, side))
    return TrainingBatch(
        images=torch.from_numpy(random.integers(0, 256, (count, 3, side, side), dtype=np.uint8)),
        image_index=torch.arange(count).repeat_interleave(OBJECTS),
        boxes=torch.from_numpy(np.concatenate(boxes)),
        labels=torch.from_numpy(np.concatenate(labels)),
        index_map=torch.from_numpy(np.stack(maps)),
    )


def _index_map(boxes: Array, side: int) -> Array:
    """Ellipses, the greater ones painted first."""
    cells = np.zeros((side // MASK_STRIDE, side // MASK_STRIDE), dtype=np.uint8)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    for index in np.argsort(-area):
        left, top, right, bottom = (boxes[index] / MASK_STRIDE).tolist()
        centre = (round((left + right) / 2), round((top + bottom) / 2))
        radii = (max(round((right - left) / 2), 1), max(round((bottom - top) / 2), 1))
        cv2.ellipse(cells, centre, radii, 0, 0, 360, int(index) + 1, -1)
    return cells
