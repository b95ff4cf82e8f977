"""Detections as COCO files, written as they come: memory does not grow with a long video."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from yolor_gp.errors import UserError
from yolor_gp.evaluation.coco_format import image_result, result_rows
from yolor_gp.structures.detections import BoxMasks, Detections


class ResultsJson:
    """COCO's results format, as `val.py --save-json` writes it: one list of all detections.

    Image ids count from 1 in the order of writing, category ids are label + 1; `file_name` is the
    path, and frames of a video also have `frame`. A context manager: leaving it, also by an
    exception, completes the file. Raises `UserError` where it cannot be written.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.path, self.names = path, names
        self.images = 0
        self._rows = 0

    def __enter__(self) -> ResultsJson:
        try:
            self._file: IO[str] = self.path.open("w", encoding="utf-8")
        except OSError as error:
            raise UserError(
                f"{self.path}: cannot be written ({error.strerror}); choose another file"
            ) from None
        self._file.write(self._opening())
        return self

    def write(self, path: str, detections: Detections, frame: int | None = None) -> None:
        """Add one image (or frame of a video); `detections` are in its own pixels."""
        self.images += 1
        origin: dict[str, Any] = {"file_name": path}
        if frame is not None:
            origin["frame"] = frame
        kept = image_result(self.images, detections, with_masks=detections.masks is not None)
        category_ids = range(1, len(self.names) + 1)
        for index, row in enumerate(result_rows(kept, category_ids)):
            self._write_row(self._row(row, origin, detections, index))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._file.write("\n]\n")
        self._file.close()

    def _opening(self) -> str:
        return "["

    def _row(
        self, row: dict[str, Any], origin: dict[str, Any], detections: Detections, index: int
    ) -> dict[str, Any]:
        return row | origin

    def _write_row(self, row: dict[str, Any]) -> None:
        self._rows += 1
        self._file.write(("," if self._rows > 1 else "") + "\n" + json.dumps(row))


class DatasetJson(ResultsJson):
    """A COCO data set file whose annotations carry a score: categories, annotations, images.

    Can be trained on, or corrected in a labelling tool. Ids as in `ResultsJson`.
    """

    def __enter__(self) -> DatasetJson:
        self._image_list: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8")
        super().__enter__()
        return self

    def write(self, path: str, detections: Detections, frame: int | None = None) -> None:
        """Add one image (or frame of a video); `detections` are in its own pixels."""
        super().write(path, detections, frame)
        height, width = detections.image_size
        image: dict[str, Any] = {"id": self.images, "file_name": path}
        image |= {"height": height, "width": width}
        if frame is not None:
            image["frame"] = frame
        self._image_list.write(("," if self.images > 1 else "") + "\n" + json.dumps(image))

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

    def _opening(self) -> str:
        categories = [{"id": number, "name": name} for number, name in enumerate(self.names, 1)]
        return f'{{"categories": {json.dumps(categories)},\n"annotations": ['

    def _row(
        self, row: dict[str, Any], origin: dict[str, Any], detections: Detections, index: int
    ) -> dict[str, Any]:
        masks = detections.masks
        _, _, width, height = row["bbox"]
        area = float(masks.areas()[index]) if isinstance(masks, BoxMasks) else width * height
        return {"id": self._rows + 1, **row, "area": area, "iscrowd": 0}
