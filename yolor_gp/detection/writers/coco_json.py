"""Detections as one COCO file, written as they come: memory does not grow with a long video."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from yolor_gp.errors import UserError
from yolor_gp.ops.boxes import xyxy_to_xywh
from yolor_gp.structures.detections import BoxMasks, Detections


class DetectionJson:
    """A COCO data set file whose annotations carry a score: categories, annotations, images.

    Category ids are label + 1; image ids count from 1; `file_name` is the path, and frames of a
    video also have `frame`. A context manager: leaving it, also by an exception, completes the
    file. Raises `UserError` where it cannot be written.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.path = path
        self._names = names
        self._annotations = 0
        self._images = 0

    def __enter__(self) -> DetectionJson:
        try:
            self._file: IO[str] = self.path.open("w", encoding="utf-8")
        except OSError as error:
            raise UserError(
                f"{self.path}: cannot be written ({error.strerror}); choose another file"
            ) from None
        self._image_list: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8")
        categories = [{"id": number, "name": name} for number, name in enumerate(self._names, 1)]
        self._file.write(f'{{"categories": {json.dumps(categories)},\n"annotations": [')
        return self

    def write(self, path: str, detections: Detections, frame: int | None = None) -> None:
        """Add one image (or frame of a video); `detections` are in its own pixels."""
        self._images += 1
        height, width = detections.image_size
        image: dict[str, Any] = {"id": self._images, "file_name": path}
        image |= {"height": height, "width": width}
        if frame is not None:
            image["frame"] = frame
        self._image_list.write(("," if self._images > 1 else "") + "\n" + json.dumps(image))
        for annotation in _annotations(detections, self._images):
            self._annotations += 1
            comma = "," if self._annotations > 1 else ""
            self._file.write(f"{comma}\n{json.dumps({'id': self._annotations, **annotation})}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._file.write('\n],\n"images": [')
        self._image_list.seek(0)
        for line in self._image_list:
            self._file.write(line)
        self._file.write("\n]}\n")
        self._image_list.close()
        self._file.close()


def _annotations(detections: Detections, image_id: int) -> list[dict[str, Any]]:
    boxes = xyxy_to_xywh(detections.boxes).tolist()
    scores = detections.scores.tolist()
    labels = detections.labels.tolist()
    annotations = [
        {
            "image_id": image_id,
            "category_id": label + 1,
            "bbox": [round(edge, 2) for edge in box],
            "area": round(box[2] * box[3], 2),
            "iscrowd": 0,
            "score": round(score, 5),
        }
        for box, score, label in zip(boxes, scores, labels, strict=True)
    ]
    if isinstance(detections.masks, BoxMasks):
        for index, (annotation, rle) in enumerate(
            zip(annotations, detections.masks.rle(), strict=True)
        ):
            counts = rle["counts"]
            text = counts.decode("ascii") if isinstance(counts, bytes) else counts
            annotation["segmentation"] = {"size": list(rle["size"]), "counts": text}
            annotation["area"] = float(detections.masks.columns[index].sum())
    return annotations
