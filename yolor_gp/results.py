"""What `Model.predict` gives back: one result an image or frame, made as it is asked for."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from yolor_gp.detection.tracking import Tracking
from yolor_gp.errors import UserError
from yolor_gp.evaluation.coco_format import image_result, result_rows
from yolor_gp.files import check_writable
from yolor_gp.media.annotated_files import write_image
from yolor_gp.media.sources import Frame, Source
from yolor_gp.structures.detections import BoxMasks, Detections
from yolor_gp.visualize.draw import DrawingStyle, draw_detections

if TYPE_CHECKING:
    import pandas
    import supervision

Predict = Callable[[Sequence[NDArray[np.uint8]]], list[Detections]]
"""u8[H, W, 3] RGB pictures of any sizes -> what is in each, in its own pixels."""


@dataclass(frozen=True, repr=False)
class Result:
    """One image and what was found in it, N objects, the best first.

    Attributes:
        source: The picture with its origin.
        detections: What was found, in pixels of the picture, as tensors; masks as runs.
        class_names: Of all classes that the network knows, by label.
        seconds: Its share of the time its batch took, from picture to detections.
    """

    source: Frame
    detections: Detections
    class_names: tuple[str, ...]
    seconds: float = 0.0

    @property
    def image(self) -> NDArray[np.uint8]:
        """The picture: u8[H, W, 3] RGB."""
        return self.source.image

    @property
    def path(self) -> str:
        """Its file, camera or stream; `image0`, ... for pictures from memory."""
        return self.source.path

    @property
    def frame(self) -> int | None:
        """Its number in its video, from 0; None for images."""
        return None if self.source.video is None else self.source.index

    @property
    def boxes(self) -> NDArray[np.float32]:
        """f32[N, 4]: left, top, right, bottom in pixels of the image."""
        boxes: NDArray[np.float32] = self.detections.boxes.numpy()
        return boxes

    @property
    def scores(self) -> NDArray[np.float32]:
        """f32[N] in 0..1."""
        scores: NDArray[np.float32] = self.detections.scores.numpy()
        return scores

    @property
    def labels(self) -> NDArray[np.int64]:
        """i64[N]: numbers of the classes, from 0."""
        labels: NDArray[np.int64] = self.detections.labels.numpy()
        return labels

    @property
    def ids(self) -> NDArray[np.int64] | None:
        """i64[N]: the same for the same object in all frames of a video; None without `track`."""
        ids = self.detections.ids
        return None if ids is None else ids.numpy()

    @property
    def names(self) -> list[str]:
        """The class name of each of the N objects."""
        return [self.class_names[label] for label in self.detections.labels.tolist()]

    @property
    def masks(self) -> NDArray[np.bool_] | None:
        """bool[N, H, W], drawn anew at every call; None where the network draws none."""
        masks = self.detections.masks
        return masks.dense() if isinstance(masks, BoxMasks) else None

    def __len__(self) -> int:
        return len(self.detections)

    def summary(self) -> str:
        """`3 person, 1 dog`, in the order of the classes; `nothing` when there is none."""
        counts = Counter(self.detections.labels.tolist())
        words = [f"{count} {self.class_names[label]}" for label, count in sorted(counts.items())]
        return ", ".join(words) or "nothing"

    def __repr__(self) -> str:
        height, width = self.detections.image_size
        where = self.path if self.frame is None else f"{self.path} frame {self.frame}"
        return f"<Result {where} {width}x{height}: {self.summary()}>"

    def _repr_png_(self) -> bytes:
        """How a notebook shows it: the picture with its objects drawn in."""
        return cv2.imencode(".png", cv2.cvtColor(self.plot(), cv2.COLOR_RGB2BGR))[1].tobytes()

    def plot(
        self,
        *,
        names: bool = True,
        scores: bool = True,
        masks: bool = True,
        line_width: int | None = None,
    ) -> NDArray[np.uint8]:
        """A copy of the image, u8[H, W, 3] RGB, with masks, boxes, names and scores drawn in.

        line_width: in pixels; by the size of the image when None.
        """
        return self.drawn(DrawingStyle(names, scores, masks, line_width))

    def drawn(self, style: DrawingStyle) -> NDArray[np.uint8]:
        """As `plot`."""
        return draw_detections(self.image, self.detections, self.class_names, style)

    def crops(self) -> list[NDArray[np.uint8]]:
        """The N objects cut out of the image along their boxes, u8[h, w, 3] RGB, never empty."""
        height, width = self.image.shape[:2]
        cut = []
        for left, top, right, bottom in self.boxes.tolist():
            x = min(max(int(left), 0), width - 1)
            y = min(max(int(top), 0), height - 1)
            cut.append(self.image[y : max(round(bottom), y + 1), x : max(round(right), x + 1)])
        return cut

    def save(self, path: str | Path) -> Path:
        """Write `plot()`; returns the file.

        Args:
            path: A file, whose suffix says the format; or a folder (one that exists, or a text
                that ends in "/"), where it is called as the image is, with the number of the frame.

        Raises:
            UserError: When it cannot be written.
        """
        target = Path(path)
        if target.is_dir() or str(path).endswith(("/", os.sep)):
            target = target / self._file_name()
        check_writable(target)
        write_image(target, self.plot())
        return target

    def _file_name(self) -> str:
        name = Path(self.path)
        if self.frame is not None:
            return f"{name.stem}-{self.frame:06d}.jpg"
        return name.name if name.suffix else f"{name.name}.png"

    def to_coco(
        self, image_id: int = 0, category_ids: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        """Rows of COCO's results format: image_id, category_id, bbox, score, segmentation.

        Args:
            image_id: Of this image in the data set.
            category_ids: By label; label + 1 when None.
        """
        ids = category_ids or range(1, len(self.class_names) + 1)
        with_masks = self.detections.masks is not None
        kept = image_result(image_id, self.detections, with_masks=with_masks)
        return list(result_rows(kept, ids))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON: path, frame, width, height and a list of objects.

        An object has `name`, `label`, `score`, `box` (left, top, right, bottom, pixels) and, with
        masks, `segmentation` (COCO's compressed run lengths), with `track`, `track_id`.
        """
        height, width = self.detections.image_size
        rows = zip(self.names, self.to_coco(), self.boxes.tolist(), strict=True)
        objects = []
        for name, row, box in rows:
            found = {"name": name, "label": row["category_id"] - 1, "score": row["score"]}
            found["box"] = [round(edge, 2) for edge in box]
            found |= {key: row[key] for key in ("segmentation", "track_id") if key in row}
            objects.append(found)
        place = {"path": self.path, "frame": self.frame}
        return {**place, "width": width, "height": height, "objects": objects}

    def to_pandas(self) -> pandas.DataFrame:
        """A row an object: left, top, right, bottom, score, label, name (needs pandas).

        Raises:
            UserError: When pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise UserError("to_pandas: needs pandas; pip install pandas") from None
        table = pandas.DataFrame(self.boxes, columns=["left", "top", "right", "bottom"])
        return table.assign(score=self.scores, label=self.labels, name=self.names)

    def to_supervision(self) -> supervision.Detections:
        """The same as `supervision.Detections` (needs supervision).

        Raises:
            UserError: When supervision is not installed.
        """
        try:
            import supervision
        except ImportError:
            raise UserError("to_supervision: needs supervision; pip install supervision") from None
        return supervision.Detections(
            xyxy=self.boxes,
            mask=self.masks,
            confidence=self.scores,
            class_id=self.labels,
            tracker_id=self.ids,
            data={"class_name": np.array(self.names)},
        )


class Predictions(Iterator[Result]):
    """Results of a source, one after another; a batch of frames is held and a few read ahead.

    Attributes:
        total: The number of frames, None where nobody knows.
        skipped: One line per file that could not be read, growing on the way.
    """

    def __init__(
        self,
        source: Source,
        predict: Predict,
        names: Sequence[str],
        batch: int = 1,
        frame_stride: int = 1,
        tracking: Tracking | None = None,
    ) -> None:
        if frame_stride < 1:
            raise UserError(f"--frame-stride {frame_stride}: expected a whole number of at least 1")
        self.total = source.total if frame_stride == 1 else None
        self._source, self._predict, self._stride = source, predict, frame_stride
        self._names, self._batch, self._tracking = tuple(names), batch, tracking
        self._results = self._run()

    @property
    def skipped(self) -> Sequence[str]:
        """One line per file that could not be read so far."""
        return self._source.skipped

    def __next__(self) -> Result:
        return next(self._results)

    def _run(self) -> Iterator[Result]:
        frames = (
            frame
            for frame in self._source
            if frame.video is None or frame.index % self._stride == 0
        )
        while batch := list(islice(frames, self._batch)):
            started = time.perf_counter()
            found = self._predict([frame.image for frame in batch])
            seconds = (time.perf_counter() - started) / len(batch)
            for frame, detections in zip(batch, found, strict=True):
                if self._tracking is not None:
                    detections = self._tracking(frame, detections)
                yield Result(frame, detections, self._names, seconds)
