"""What grows with what: each curve is a table of measured points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.growth import measure
from benchmarks.growth.isolated import Point, isolated
from benchmarks.settings import Settings

Say = Callable[[str], None]


@dataclass(frozen=True)
class Curve:
    """heads: of the columns, the grown quantity first; points: quantity -> figures by column."""

    name: str
    title: str
    heads: tuple[str, ...]
    keys: tuple[str, ...]
    points: tuple[tuple[float, Point], ...]


def measure_curve(name: str, settings: Settings, say: Say) -> Curve:
    """One of `CURVES`, point by point, each in a process of its own."""
    plan = CURVES[name]
    points = []
    for quantity in plan.quantities:
        point = isolated(plan.function, settings, quantity)
        say(f"  {quantity:g}: " + ", ".join(f"{key} {value:.4g}" for key, value in point.items()))
        points.append((float(quantity), point))
    return Curve(name, plan.title, plan.heads, plan.keys, tuple(points))


@dataclass(frozen=True)
class _Plan:
    title: str
    quantities: tuple[int, ...]
    function: Callable[[Settings, int], Point]
    heads: tuple[str, ...]
    keys: tuple[str, ...]


CURVES = {
    "annotations": _Plan(
        "annotations in a COCO JSON with outlines, seven an image",
        (1_000, 10_000, 100_000, 1_000_000),
        measure.start,
        ("annotations", "file MB", "first start s", "memory MiB", "cached start s", "cached MiB"),
        ("file", "first", "memory", "cached", "cached_memory"),
    ),
    "image-size": _Plan(
        "image size: a training batch of 4, a training step of it, one image found",
        (320, 640, 960, 1280),
        measure.image_size,
        ("pixels a side", "batch ms", "step ms", "inference ms", "memory MiB"),
        ("batch", "step", "inference", "memory"),
    ),
    "classes": _Plan(
        "classes: a training step of 4 images at 320, detections of one image, COCO figures of 200",
        (80, 200, 400, 800, 1200),
        measure.classes,
        ("classes", "parameters M", "step ms", "inference ms", "figures ms", "memory MiB"),
        ("parameters", "step", "inference", "figures", "memory"),
    ),
    "detections": _Plan(
        "detections of an image of 640x480: masks, their RLE, and what is kept of them",
        (10, 30, 100, 300, 1000),
        measure.detections,
        ("detections", "masks ms", "RLE ms", "kept kB", "memory MiB"),
        ("masks", "rle", "kept", "memory"),
    ),
    "workers": _Plan(
        "workers of the loader, processes: batches of 16 at 640 from the RAM cache",
        (0, 1, 2, 4),
        measure.workers,
        ("workers", "images/s", "MiB of all processes"),
        ("rate", "family"),
    ),
}


def plot(curves: list[Curve], file: Path) -> None:
    """Every curve relative to its first point, time and memory, in one picture."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(curves), figsize=(4 * len(curves), 3.2), squeeze=False)
    for axis, curve in zip(axes[0], curves, strict=True):
        x = [quantity for quantity, _ in curve.points]
        for key, head in zip(curve.keys, curve.heads[1:], strict=True):
            axis.plot(x, [point[key] for _, point in curve.points], marker="o", label=head)
        if min(x) > 0:
            axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_title(curve.name)
        axis.set_xlabel(curve.heads[0])
        axis.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(file, dpi=90)
    plt.close(figure)
