"""What the loader hands to the network and the loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from yolor_gp.structures.sample import MASK_STRIDE, ImageMeta
from yolor_gp.structures.tensors import check_tensor, to_device


@dataclass(frozen=True)
class Targets:
    """The objects of a batch of B images of H x W pixels, T of them in all.

    image_index: i64[T], sorted; boxes: f32[T, 4] xyxy in pixels of the batch images;
    labels: i64[T]; index_map: u8 or i16 [B, H/s, W/s] or None: 0 is background, k the k-th
    object of its image (1-based, in the order of this record), smaller objects on top; s is 4
    (`structures.sample.MASK_STRIDE`), less where masks are looked at more closely.
    """

    image_index: Tensor
    boxes: Tensor
    labels: Tensor
    index_map: Tensor | None = None

    def __post_init__(self) -> None:
        count = self.boxes.shape[0]
        check_tensor("Targets.image_index", self.image_index, (count,), torch.int64)
        check_tensor("Targets.boxes", self.boxes, (count, 4), torch.float32)
        check_tensor("Targets.labels", self.labels, (count,), torch.int64)
        if self.index_map is not None:
            types = (torch.uint8, torch.int16)
            check_tensor("Targets.index_map", self.index_map, (None, None, None), types)

    def __len__(self) -> int:
        return self.boxes.shape[0]

    def to(self, device: torch.device) -> Targets:
        """The same targets on `device`, on their way while the host goes on."""
        return self._each(lambda tensor: to_device(tensor, device))

    def pin_memory(self) -> Targets:
        """The same targets in page-locked memory, for asynchronous copies to a GPU."""
        return self._each(torch.Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Targets:
        index_map = None if self.index_map is None else change(self.index_map)
        return Targets(change(self.image_index), change(self.boxes), change(self.labels), index_map)


@dataclass(frozen=True)
class Batch:
    """images: u8[B, 3, H, W] RGB (scaled to 0..1 on the device); metas: one per image."""

    images: Tensor
    targets: Targets
    metas: tuple[ImageMeta, ...]

    def __post_init__(self) -> None:
        check_tensor("Batch.images", self.images, (len(self.metas), 3, None, None), torch.uint8)
        index_map = self.targets.index_map
        if index_map is not None:
            count, _, height, width = self.images.shape
            stride = max(height // max(index_map.shape[1], 1), 1)
            if stride > MASK_STRIDE:
                raise ValueError(f"Targets.index_map: {stride} pixels a cell")
            check_tensor("Targets.index_map", index_map, (count, height // stride, width // stride))

    def __len__(self) -> int:
        return len(self.metas)

    def pin_memory(self) -> Batch:
        """The same batch in page-locked memory; torch's DataLoader calls this."""
        return replace(self, images=self.images.pin_memory(), targets=self.targets.pin_memory())
