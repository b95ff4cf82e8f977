"""pycocotools and hotcoco behind one function: the same figures, fast or canonical."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import hotcoco
import numpy as np
import pycocotools.coco
import pycocotools.cocoeval
from numpy.typing import NDArray

from yolor_gp.evaluation.coco_format import ImageResult
from yolor_gp.process.collector import collector_paused

Backend: TypeAlias = Literal["hotcoco", "pycocotools"]
Kind: TypeAlias = Literal["bbox", "segm"]


@dataclass(frozen=True)
class Accumulated:
    """stats: f64[12]; precision: f64[10 IoUs, 101 recalls, classes, 4 areas, 3 limits], -1: none;
    category_ids: in the order of its classes; report: the table the backend would print.
    """

    stats: NDArray[np.float64]
    precision: NDArray[np.float64]
    category_ids: tuple[int, ...]
    report: str

    def average_precision(self, category_id: int) -> float:
        """AP of one class over all areas at 100 detections an image; -1 without truth."""
        values = self._precision(category_id)
        return float(values[values > -1].mean()) if (values > -1).any() else -1.0

    def precision_over_recall(self, category_id: int) -> NDArray[np.float64]:
        """Best precision at recalls 0, 0.01, ... 1 or beyond, IoU 0.5: f64[101]; -1: no truth."""
        found: NDArray[np.float64] = self._precision(category_id)[0]
        return found

    def _precision(self, category_id: int) -> NDArray[np.float64]:
        if category_id not in self.category_ids:
            return np.full(self.precision.shape[:2], -1.0)
        return self.precision[:, :, self.category_ids.index(category_id), 0, -1]


class _Api(Protocol):
    """What both modules offer."""

    def evaluate(self) -> None: ...
    def accumulate(self) -> None: ...
    def summarize(self) -> None: ...


def accumulate(
    truth: dict[str, Any],
    results: Sequence[ImageResult],
    category_ids: Sequence[int],
    kind: Kind,
    backend: Backend,
) -> Accumulated:
    """Evaluate boxes ("bbox") or masks ("segm") of `results` against a prepared COCO dictionary.

    For masks an object's size, which decides between small, medium and large, is the area of the
    mask, as when the official results format holds masks only. Prints nothing.
    """
    output = io.StringIO()
    with contextlib.redirect_stdout(output), collector_paused():
        load = _hotcoco if backend == "hotcoco" else _pycocotools
        evaluation = load(truth, results, np.asarray(category_ids, dtype=np.int64), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        output.truncate(output.seek(0))
        evaluation.summarize()
    return Accumulated(
        np.asarray(evaluation.stats, dtype=np.float64),
        np.asarray(evaluation.eval["precision"]),
        tuple(evaluation.params.catIds),
        output.getvalue(),
    )


def _table(results: Sequence[ImageResult], category_ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """One row per detection: image id, left, top, width, height, score, category id."""
    rows = np.empty((sum(map(len, results)), 7), dtype=np.float64)
    begin = 0
    for result in results:
        part = rows[begin : begin + len(result)]
        part[:, 0] = result.image_id
        part[:, 1:5] = result.boxes
        part[:, 5] = result.scores
        part[:, 6] = category_ids[result.labels]
        begin += len(result)
    return rows


def _hotcoco(
    truth: dict[str, Any],
    results: Sequence[ImageResult],
    category_ids: NDArray[np.int64],
    kind: Kind,
) -> Any:
    loaded_truth = hotcoco.COCO(truth)
    table = _table(results, category_ids)
    if kind == "bbox" or not len(table):
        return hotcoco.COCOeval(loaded_truth, loaded_truth.load_res(table), kind)
    masks: list[Any] = [rle for result in results for rle in result.rle()]
    loaded = loaded_truth.load_res(table, segmentation=masks)
    # Given boxes it takes their areas for the objects' sizes.
    loaded.update_anns(ids=np.arange(1, len(table) + 1), area=hotcoco.mask.area(masks))
    return hotcoco.COCOeval(loaded_truth, loaded, kind)


def _pycocotools(
    truth: dict[str, Any],
    results: Sequence[ImageResult],
    category_ids: NDArray[np.int64],
    kind: Kind,
) -> Any:
    loaded_truth = pycocotools.coco.COCO()
    # A shallow copy of each: loading masks rewrites polygons in place.
    loaded_truth.dataset = {**truth, "annotations": [dict(row) for row in truth["annotations"]]}
    loaded_truth.createIndex()
    rows: list[dict[str, Any]] = []
    for result in results:
        masks = result.rle() if kind == "segm" else None
        for index, label in enumerate(result.labels.tolist()):
            row: dict[str, Any] = {
                "image_id": result.image_id,
                "category_id": int(category_ids[label]),
                "score": float(result.scores[index]),
            }
            if masks is None:
                row["bbox"] = result.boxes[index].tolist()
            else:
                row["segmentation"] = masks[index]
            rows.append(row)
    if rows:
        loaded = loaded_truth.loadRes(rows)
    else:
        # loadRes looks at the first row to learn what it is given.
        loaded = pycocotools.coco.COCO()
        loaded.dataset = {**truth, "annotations": []}
        loaded.createIndex()
    return pycocotools.cocoeval.COCOeval(loaded_truth, loaded, kind)
