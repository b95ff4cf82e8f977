"""What cutting pictures into slices makes of the data."""

from __future__ import annotations

import numpy as np

from yolor_gp.config.data_config import DataConfig, Split
from yolor_gp.data.datasets import open_dataset
from yolor_gp.data.doctor.report import Finding, SplitFigures, warning
from yolor_gp.data.labels.annotation_table import AnnotationTable
from yolor_gp.ops.windows import windows

_OFTEN = 0.05
"""The share of objects that no window shows whole, from which on it is told."""


def slice_findings(config: DataConfig, split: Split, figures: SplitFigures) -> list[Finding]:
    """Enter how many images the pictures are cut into; warn of what the windows do not show."""
    cut = config.slice_of(split)
    if cut is None:
        return []
    where = f"{config.file} ({split})"
    figures.slices = len(open_dataset(config, split, image_size=cut.size))
    table = open_dataset(config.without_slices(), split, image_size=cut.size).table
    if figures.slices == len(table):
        detail = f"no picture is larger than {cut.size} px"
        return [warning("nothing to slice", where, detail, "leave out 'slice', or lower its size")]
    torn, large = _never_whole(table, cut.size, cut.overlap)
    if torn + large <= _OFTEN * len(table.labels):
        return []
    detail = (
        f"{torn + large} of {len(table.labels)} objects are in no window whole ({large} of them"
        " larger than one)"
    )
    return [warning("objects torn", where, detail, "raise 'overlap' or 'size' of 'slice'")]


def _never_whole(table: AnnotationTable, side: int, overlap: float) -> tuple[int, int]:
    """Objects that all windows cut: those that would fit into one, and the others."""
    torn = large = 0
    for number in range(len(table)):
        boxes = table.instances(number).boxes
        parts = np.array(windows(table.size(number), (side, side), overlap), np.float32)
        if not (len(parts) and len(boxes)):
            continue
        low, high = parts[:, :2] - boxes[:, None, :2], parts[:, 2:] - boxes[:, None, 2:]
        cut = np.all(np.any((low > 0) | (high < 0), axis=2), axis=1)
        is_large = np.any(boxes[:, 2:] - boxes[:, :2] > side, axis=1)
        torn += int(np.count_nonzero(cut & ~is_large))
        large += int(np.count_nonzero(cut & is_large))
    return torn, large
