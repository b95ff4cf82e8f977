"""COCO's twelve figures: from detections in memory to the numbers, against pycocotools."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmarks.inputs_coco import truth_and_results
from benchmarks.settings import Settings
from benchmarks.timing import Run, timed
from benchmarks.work import Target, Work
from yolor_gp.evaluation.coco_backends import Kind, accumulate
from yolor_gp.evaluation.coco_format import ImageResult, prepare_truth, result_rows

DETECTIONS = 100


def _inputs(
    settings: Settings, kind: Kind, small: int, large: int
) -> tuple[dict[str, Any], list[ImageResult], list[int]]:
    images = large if settings.full else small
    truth, results = truth_and_results(images, DETECTIONS, with_masks=kind == "segm")
    return truth, results, [category["id"] for category in truth["categories"]]


def ours(settings: Settings, kind: Kind, small: int, large: int) -> Run:
    """`evaluation.coco_backends.accumulate` with its default backend."""
    truth, results, category_ids = _inputs(settings, kind, small, large)
    prepared = prepare_truth(truth, with_masks=kind == "segm")
    return timed(
        lambda _: accumulate(prepared, results, category_ids, kind, "hotcoco").stats.tolist()
    )


def pycocotools(settings: Settings, kind: Kind, small: int, large: int) -> Run:
    """The canonical implementation, given the results as a list, as from a file."""
    truth, results, category_ids = _inputs(settings, kind, small, large)
    rows = [row for result in results for row in result_rows(result, category_ids)]
    if kind == "segm":
        for row in rows:  # an object's size is its mask's, as in the official results format
            del row["bbox"]

    def copies() -> list[dict[str, Any]]:
        return [dict(row) for row in rows]  # loading adds keys to them

    def work(rows: list[dict[str, Any]]) -> list[float]:
        with contextlib.redirect_stdout(io.StringIO()):
            loaded = COCO()
            loaded.dataset = truth
            loaded.createIndex()
            evaluation = COCOeval(loaded, loaded.loadRes(rows), kind)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        figures: list[float] = evaluation.stats.tolist()
        return figures

    return timed(work, prepare=copies)


def agree(mine: Any, theirs: Any) -> str:
    """All twelve figures, to 1e-12."""
    worst = float(np.abs(np.array(mine) - np.array(theirs)).max())
    assert worst < 1e-12, f"figures differ by {worst}"
    return f"the twelve figures are identical (AP {mine[0]:.4f})"


def _work(name: str, title: str, kind: Kind, small: int, large: int, factor: float) -> Work:
    here = "benchmarks.works.coco_figures"
    return Work(
        name=name,
        title=title,
        ours=f"{here}:ours",
        peers={"pycocotools": f"{here}:pycocotools"},
        unit="s",
        target=Target("at most", factor),
        repeats=3,
        warm=False,
        arguments={"kind": kind, "small": small, "large": large},
        agree=agree,
    )


WORKS = (
    _work(
        "figures-boxes",
        "COCO figures of boxes, 500 images, 50k boxes (`--full`: 5,000, 500k)",
        "bbox", 500, 5000, 0.02,
    ),
    _work(
        "figures-masks",
        "COCO figures of masks, 200 images, 20k RLE (`--full`: 1,000, 100k)",
        "segm", 200, 1000, 0.03,
    ),
)  # fmt: skip
