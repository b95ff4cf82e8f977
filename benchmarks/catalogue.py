"""All works, in the order of the table."""

from __future__ import annotations

from benchmarks.work import Work
from benchmarks.works import (
    coco_figures,
    gpu_training,
    inference,
    loader,
    masks,
    nms,
    start,
    training,
    validation,
)

WORKS: tuple[Work, ...] = (
    *loader.WORKS,
    *nms.WORKS,
    *masks.WORKS,
    *validation.WORKS,
    *coco_figures.WORKS,
    *training.WORKS,
    *inference.WORKS,
    *gpu_training.WORKS,
    *start.WORKS,
)


def select(only: list[str], device: str) -> list[Work]:
    """The works for a kind of device; of these, those whose name begins with a word of `only`."""
    kind = device.split(":")[0]
    fitting = [work for work in WORKS if kind in work.devices]
    if not only:
        return fitting
    return [work for work in fitting if any(work.name.startswith(word) for word in only)]
