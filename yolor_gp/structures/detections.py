"""What post-processing finds in an image, first in the network's frame, then in the image's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from yolor_gp.ops.boxes import boxes_to_original
from yolor_gp.ops.letterbox import Letterbox
from yolor_gp.ops.masks import masks_in_boxes, prototype_crop
from yolor_gp.ops.rle import Rle, encode
from yolor_gp.ops.run_lengths import Runs, runs_of, runs_of_windows
from yolor_gp.structures.tensors import check_tensor


@dataclass(frozen=True)
class PrototypeMasks:
    """Masks not drawn yet: sigmoid(coefficients @ prototypes) at a quarter of the input size.

    coefficients: [N, K]; prototypes: [K, h, w], shared by the image's detections.
    """

    coefficients: Tensor
    prototypes: Tensor

    def __post_init__(self) -> None:
        check_tensor("PrototypeMasks.prototypes", self.prototypes, (None, None, None))
        shape = (None, self.prototypes.shape[0])
        check_tensor("PrototypeMasks.coefficients", self.coefficients, shape)

    def __len__(self) -> int:
        return self.coefficients.shape[0]

    def select(self, index: Tensor) -> PrototypeMasks:
        """The masks at `index` (integers or booleans), in that order."""
        return replace(self, coefficients=self.coefficients[index])


class BoxMasks:
    """Masks in pixels of an image of image_size (height, width); each is empty outside its window.

    windows: i64[N, 4] of left, top, right, bottom (exclusive);
    runs: the masks themselves, kept as places where they begin and end.
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        windows: NDArray[np.int64],
        columns: Sequence[NDArray[np.bool_]],
    ) -> None:
        """From bitmaps: per mask its window as bool[width, height], column by column."""
        self._fill(windows, runs_of_windows(windows, columns, image_size))

    @classmethod
    def from_runs(cls, windows: NDArray[np.int64], runs: Runs) -> BoxMasks:
        """From runs that lie inside `windows`."""
        masks = cls.__new__(cls)
        masks._fill(windows, runs)
        return masks

    def _fill(self, windows: NDArray[np.int64], runs: Runs) -> None:
        if windows.shape != (len(runs), 4):
            raise ValueError(
                f"BoxMasks.windows: expected shape [{len(runs)}, 4], got {list(windows.shape)}"
            )
        self.image_size, self.windows, self.runs = runs.size, windows, runs

    def __len__(self) -> int:
        return len(self.runs)

    @cached_property
    def columns(self) -> tuple[NDArray[np.bool_], ...]:
        """Per mask its window as bool[width, height], drawn when first asked for."""
        return tuple(self.bitmap(index).T for index in range(len(self)))

    def bitmap(self, index: int) -> NDArray[np.bool_]:
        """One mask inside its window, bool[height, width]; drawn anew at every call."""
        return self.runs.columns(index, self.windows[index].tolist()).T

    def dense(self) -> NDArray[np.bool_]:
        """All masks in full size: bool[N, H, W]."""
        dense = np.zeros((len(self), *self.image_size), dtype=np.bool_)
        for index, (left, top, right, bottom) in enumerate(self.windows.tolist()):
            dense[index, top:bottom, left:right] = self.bitmap(index)
        return dense

    def areas(self) -> NDArray[np.int64]:
        """Pixels of each mask: i64[N]."""
        return self.runs.areas()

    def rle(self) -> list[Rle]:
        """COCO's compressed RLE of every mask, byte for byte what pycocotools would write."""
        return encode(self.runs)

    def select(self, index: Tensor) -> BoxMasks:
        """The masks at `index` (integers or booleans), in that order."""
        chosen = np.arange(len(self))[index.cpu().numpy()]
        return BoxMasks.from_runs(self.windows[chosen], self.runs.select(chosen))

    def mirrored(self) -> BoxMasks:
        """The same, left and right exchanged."""
        left, top, right, bottom = self.windows.T
        width = self.image_size[1]
        windows = np.stack((width - right, top, width - left, bottom), axis=1)
        return BoxMasks(self.image_size, windows, [column[::-1] for column in self.columns])

    def placed(self, image_size: tuple[int, int], left: int, top: int) -> BoxMasks:
        """The same in a larger image, of which this one is the part that begins at left, top."""
        windows = self.windows + np.array([left, top, left, top])
        return BoxMasks(image_size, windows, self.columns)

    def union(self) -> BoxMasks:
        """All of them, at least one, as one mask."""
        window = np.concatenate((self.windows[:, :2].min(axis=0), self.windows[:, 2:].max(axis=0)))
        left, top, right, bottom = window.tolist()
        whole = np.zeros((right - left, bottom - top), np.bool_)
        for (x1, y1, x2, y2), column in zip(self.windows.tolist(), self.columns, strict=True):
            whole[x1 - left : x2 - left, y1 - top : y2 - top] |= column
        return BoxMasks(self.image_size, window[None], [whole])

    @staticmethod
    def together(image_size: tuple[int, int], parts: Sequence[BoxMasks]) -> BoxMasks:
        """The masks of several that are of one image."""
        windows = np.concatenate([np.zeros((0, 4), np.int64), *(part.windows for part in parts)])
        changes = [part.runs.of(index) for part in parts for index in range(len(part))]
        return BoxMasks.from_runs(windows, runs_of(changes, image_size))


@dataclass(frozen=True)
class Detections:
    """One image of image_size (height, width) pixels and what was found in it, best first.

    boxes: f32[N, 4] xyxy in pixels; scores: f32[N] in 0..1; labels: i64[N];
    masks: `PrototypeMasks` as they leave the network, `BoxMasks` after `to_original`, None without;
    ids: i64[N], the same for the same object in all frames of a video, None where nobody followed.
    """

    image_size: tuple[int, int]
    boxes: Tensor
    scores: Tensor
    labels: Tensor
    masks: PrototypeMasks | BoxMasks | None = None
    ids: Tensor | None = None

    def __post_init__(self) -> None:
        count = self.boxes.shape[0]
        check_tensor("Detections.boxes", self.boxes, (count, 4), torch.float32)
        check_tensor("Detections.scores", self.scores, (count,), torch.float32)
        check_tensor("Detections.labels", self.labels, (count,), torch.int64)
        if self.masks is not None and len(self.masks) != count:
            raise ValueError(f"Detections.masks: expected {count} masks, got {len(self.masks)}")
        if self.ids is not None:
            check_tensor("Detections.ids", self.ids, (count,), torch.int64)

    def __len__(self) -> int:
        return self.boxes.shape[0]

    def select(self, index: Tensor) -> Detections:
        """The detections at `index` (integers or booleans), in that order."""
        masks = None if self.masks is None else self.masks.select(index)
        ids = None if self.ids is None else self.ids[index]
        return Detections(
            self.image_size, self.boxes[index], self.scores[index], self.labels[index], masks, ids
        )

    def to_original(self, letterbox: Letterbox, mask_threshold: float = 0.5) -> Detections:
        """The same detections in pixels of the image as it was before the letterbox, on the CPU.

        Boxes are scaled per axis and clipped to the image. Masks are `BoxMasks`:
        sigmoid(coefficients @ prototypes), padding cut off, upsampled bilinearly, kept inside the
        box where they exceed `mask_threshold`.

        Raises:
            ValueError: When these detections are not in the letterbox's frame.
        """
        if self.image_size != letterbox.output_size or isinstance(self.masks, BoxMasks):
            raise ValueError(
                f"Detections.to_original: expected detections in a frame of "
                f"{letterbox.output_size} (height, width), got {self.image_size}"
            )
        size = letterbox.original_size
        # In float64, as a scale of 640 / 500 is not exact in float32.
        boxes = boxes_to_original(self.boxes.cpu().double(), letterbox).float()
        masks = None
        if self.masks is not None:
            masks = self._draw(self.masks, boxes, letterbox, mask_threshold)
        return Detections(size, boxes, self.scores.cpu(), self.labels.cpu(), masks)

    @staticmethod
    def _draw(
        masks: PrototypeMasks, boxes: Tensor, letterbox: Letterbox, threshold: float
    ) -> BoxMasks:
        prototypes = masks.prototypes.float().cpu().numpy()
        crop = prototype_crop(
            letterbox.output_size,
            letterbox.scaled_size,
            (letterbox.top, letterbox.left),
            prototypes.shape[1:],
        )
        size = letterbox.original_size
        coefficients = masks.coefficients.float().cpu().numpy()
        windows, runs = masks_in_boxes(
            coefficients, prototypes, boxes.numpy(), crop=crop, image_size=size, threshold=threshold
        )
        return BoxMasks.from_runs(windows, runs)
