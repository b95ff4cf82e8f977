"""What a head gives to post-processing: boxes that may be objects."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from yolor_gp.structures.tensors import check_tensor


@dataclass(frozen=True)
class Candidates:
    """M boxes of B images, in any order.

    Attributes:
        images: B.
        image_size: (height, width) of the network's input in pixels.
        image: i64[M], which of the images a box is in.
        boxes: f32[M, 4] xyxy pixels of the input.
        values: f32[M, 1 + C + K]: objectness and C classes in 0..1 (a score is their product), then
            K coefficients of prototypes.
        num_classes: C.
        prototypes: [B, K, h, w], None without masks.
    """

    images: int
    image_size: tuple[int, int]
    image: Tensor
    boxes: Tensor
    values: Tensor
    num_classes: int
    prototypes: Tensor | None = None

    def __post_init__(self) -> None:
        coefficients = 0 if self.prototypes is None else self.prototypes.shape[1]
        count = len(self.image)
        check_tensor("Candidates.boxes", self.boxes, (count, 4))
        width = 1 + self.num_classes + coefficients
        check_tensor("Candidates.values", self.values, (count, width))
