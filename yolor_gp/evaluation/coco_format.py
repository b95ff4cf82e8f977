"""Truth and detections as COCO's evaluation wants them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import hotcoco.mask
import numpy as np
import torch
from numpy.typing import NDArray

from yolor_gp.ops.boxes import xyxy_to_xywh
from yolor_gp.ops.rle import Rle
from yolor_gp.structures.detections import BoxMasks, Detections

_DECIMALS = 3
"""Of a pixel, which float32 holds up to 8,000 px. Rounding undoes the noise below: a box read from
a file comes out as it was written there, and a result file gives the figures computed at once."""


@dataclass(frozen=True)
class ImageResult:
    """The detections of one image, small enough to keep and to send to another process.

    boxes: f64[N, 4] left, top, width, height in pixels; scores: f32[N]; labels: i64[N];
    size: (height, width); counts: the compressed RLE of each mask, None without masks; ids: of the
    objects, i64[N], None where nobody followed them.
    """

    image_id: int
    boxes: NDArray[np.float64]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    size: tuple[int, int]
    counts: tuple[bytes, ...] | None
    ids: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def rle(self) -> list[Rle]:
        """The masks as pycocotools takes them."""
        # One list for all: a hundred thousand more objects keep Python's collector busy.
        size = list(self.size)
        return [{"size": size, "counts": counts} for counts in self.counts or ()]

    def detections(self) -> Detections:
        """The same as what was kept, in pixels of the image."""
        boxes = torch.from_numpy(self.boxes).float()
        boxes[:, 2:] += boxes[:, :2]
        masks = None
        if self.counts is not None:
            whole = np.array([[0, 0, self.size[1], self.size[0]]] * len(self), np.int64)
            bitmaps = [hotcoco.mask.decode(rle).T.astype(np.bool_) for rle in self.rle()]
            masks = BoxMasks(self.size, whole.reshape(-1, 4), bitmaps)
        scores, labels = torch.from_numpy(self.scores), torch.from_numpy(self.labels)
        return Detections(self.size, boxes, scores, labels, masks)


def image_result(image_id: int, detections: Detections, *, with_masks: bool) -> ImageResult:
    """What to keep of `detections`, which are in pixels of the original image.

    Raises:
        ValueError: When masks are wanted and not there, or still in the network's frame.
    """
    boxes = xyxy_to_xywh(detections.boxes.cpu().double()).numpy()
    counts = None
    if with_masks:
        if not isinstance(detections.masks, BoxMasks):
            raise ValueError(
                f"image {image_id}: expected detections with masks in original pixels "
                f"(Detections.to_original), got {type(detections.masks).__name__}"
            )
        counts = tuple(rle["counts"] for rle in detections.masks.rle())
    return ImageResult(
        int(image_id),
        boxes.round(_DECIMALS),
        detections.scores.cpu().numpy(),
        detections.labels.cpu().numpy(),
        detections.image_size,
        counts,
        None if detections.ids is None else detections.ids.numpy(),
    )


def result_rows(result: ImageResult, category_ids: Sequence[int]) -> Iterator[dict[str, Any]]:
    """The COCO results format: {"image_id", "category_id", "bbox", "score", "segmentation",
    "track_id"}, the last two where there are any.

    Yields:
        One row for each detection.
    """
    columns = (result.boxes.tolist(), result.scores.tolist(), result.labels.tolist())
    for index, (box, score, label) in enumerate(zip(*columns, strict=True)):
        row = {
            "image_id": result.image_id,
            "category_id": category_ids[label],
            "bbox": box,
            "score": score,
        }
        if result.counts is not None:
            text = result.counts[index].decode("ascii")
            row["segmentation"] = {"size": list(result.size), "counts": text}
        if result.ids is not None:
            row["track_id"] = int(result.ids[index])
        yield row


def prepare_truth(truth: dict[str, Any], *, with_masks: bool) -> dict[str, Any]:
    """A copy of a COCO dictionary that the evaluation reads as it is meant.

    Annotations are numbered anew from 1, as a match with annotation 0 would count as none, and get
    the `iscrowd` and `area` they may lack. Where masks are evaluated, the box of an annotation
    without outline stands in for it, as it does in training.
    """
    annotations = []
    for number, annotation in enumerate(truth["annotations"], start=1):
        _, _, width, height = annotation["bbox"]
        annotations.append({"iscrowd": 0, "area": width * height, **annotation, "id": number})
    if with_masks:
        for annotation in annotations:
            if not annotation.get("segmentation"):
                annotation["segmentation"] = _rectangle(annotation["bbox"])
    return {
        "info": truth.get("info", {}),
        "images": truth["images"],
        "categories": truth["categories"],
        "annotations": annotations,
    }


def _rectangle(bbox: Sequence[float]) -> list[list[float]]:
    left, top, width, height = bbox
    right, bottom = left + width, top + height
    return [[left, top, right, top, right, bottom, left, bottom]]
