"""Figures as PNG files: training curves, precision over recall, confusion, data set histograms.

matplotlib without pyplot: no global state, no window, usable from any thread; loaded with the first
figure, for that takes half a second.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Target = str | Path | IO[bytes]
"""Where a figure is written."""

_MANY_CLASSES = 20  # more than this many names do not fit on an axis


def plot_training(history: Mapping[str, Sequence[float]], path: Target) -> None:
    """The columns of metrics.csv over the epochs, those that belong together in one panel.

    history: column -> values, NaN where nothing was measured; a column named epoch is the axis.
    """
    columns = {name: values for name, values in history.items() if name != "epoch"}
    epochs = list(history.get("epoch") or range(1, 1 + max(map(len, columns.values()), default=0)))
    panels_of: dict[str, list[str]] = {}
    for name in columns:
        panels_of.setdefault(_panel(name), []).append(name)
    across = min(3, max(1, len(panels_of)))
    figure, panels = new_panels(math.ceil(len(panels_of) / across) or 1, across)
    for axes, (title, names) in zip(panels, panels_of.items(), strict=False):
        for name in names:
            pairs = zip(epochs, columns[name], strict=False)
            points = [(epoch, value) for epoch, value in pairs if math.isfinite(value)]
            label = name.removeprefix(title.split(" ")[0]).strip("/ ") or name
            axes.plot(*zip(*points, strict=True), marker=".", linewidth=1.2, label=label)
        _label(axes, title, "epoch", "")
        if len(names) > 1:
            axes.legend(fontsize=7, frameon=False)
    for axes in panels[max(1, len(panels_of)) :]:
        axes.set_axis_off()
    save_figure(figure, path)


def _panel(column: str) -> str:
    """The title of the panel that shows a column: train/box -> train, val/box AP50 -> val box."""
    kind, _, name = column.partition("/")
    if kind == "val":
        return f"val {name.split(' ')[0]}"
    return column if column == "train/total" or not name else kind


def plot_precision_recall(
    curves: Mapping[str, NDArray[np.floating]],
    path: Target,
    title: str = "precision over recall, IoU 0.5",
) -> None:
    """curves: class name -> precision at equally spaced recalls from 0 to 1; -1: no truth.

    The mean over the classes is drawn thick; names stand beside it while there are few.
    """
    figure, (axes,) = new_panels(1, 1, size=(7.0, 5.0))
    known = {
        name: np.asarray(precision, dtype=np.float64)
        for name, precision in curves.items()
        if np.min(precision, initial=0) >= 0
    }
    few = len(known) <= _MANY_CLASSES
    for name, precision in known.items():
        recall = np.linspace(0, 1, len(precision))
        label = f"{name} {precision.mean():.3f}" if few else None
        axes.plot(recall, precision, linewidth=1, alpha=0.8 if few else 0.3, label=label)
    if known:
        mean = np.mean(list(known.values()), axis=0)
        recall = np.linspace(0, 1, len(mean))
        axes.plot(recall, mean, color="black", linewidth=2.5, label=f"mean {mean.mean():.3f}")
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=7, frameon=False)
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    _label(axes, title, "recall", "precision")
    save_figure(figure, path)


class OverConfidence(Protocol):
    """`evaluation.curves.ConfidenceCurves`, or anything of the same kind: f64[C, N] each."""

    @property
    def precision(self) -> NDArray[np.float64]: ...  # noqa: D102
    @property
    def recall(self) -> NDArray[np.float64]: ...  # noqa: D102
    @property
    def f1(self) -> NDArray[np.float64]: ...  # noqa: D102


def plot_confidence(curves: OverConfidence, present: NDArray[np.bool_], path: Target) -> None:
    """Precision, recall and F1 over the confidence from 0 to 1: the mean over the classes present.

    present: bool[C]. The confidence of the best F1 is marked.
    """
    figure, (axes,) = new_panels(1, 1, size=(7.0, 5.0))
    for name in ("precision", "recall", "f1"):
        values: NDArray[np.float64] = getattr(curves, name)
        mean = values[present].mean(axis=0) if present.any() else values.mean(axis=0)
        confidence = np.linspace(0, 1, len(mean))
        axes.plot(confidence, mean, linewidth=2.5 if name == "f1" else 1.2, label=name)
        if name == "f1":
            best = int(mean.argmax())
            title = f"best F1 {mean[best]:.3f} at confidence {confidence[best]:.2f}"
            axes.axvline(confidence[best], color="gray", linestyle=":")
            _label(axes, title, "confidence", "boxes, IoU 0.5")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(fontsize=8, frameon=False)
    save_figure(figure, path)


def plot_confusion(
    matrix: NDArray[Any],
    names: Sequence[str],
    path: Target,
    title: str = "share of each class's truth",
) -> None:
    """matrix: counts [C + 1, C + 1], truth down, prediction across, the last for background.

    Raises:
        ValueError: When the matrix does not fit the names.
    """
    counts = np.asarray(matrix, dtype=np.float64)
    if counts.shape != (len(names) + 1, len(names) + 1):
        raise ValueError(
            f"plot_confusion: expected a matrix of {len(names) + 1} rows and columns "
            f"(classes and background), got {counts.shape}"
        )
    share = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    side = min(16.0, 4.0 + 0.35 * len(names))
    figure, (axes,) = new_panels(1, 1, size=(side + 1, side))
    image = axes.imshow(share, vmin=0, vmax=1, cmap="Blues", interpolation="nearest")
    figure.colorbar(image, ax=axes, shrink=0.8)
    words = [*names, "background"]
    if len(names) <= 4 * _MANY_CLASSES:
        size = 9 if len(names) <= _MANY_CLASSES else 6
        axes.set_xticks(range(len(words)), words, rotation=90, fontsize=size)
        axes.set_yticks(range(len(words)), words, fontsize=size)
    if len(names) <= _MANY_CLASSES:
        for (row, column), value in np.ndenumerate(share):
            if value >= 0.005:
                colour = "white" if value > 0.5 else "black"
                axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour)
    _label(axes, title, "prediction", "truth")
    axes.grid(visible=False)
    save_figure(figure, path)


class Reliability(Protocol):
    """`evaluation.calibration.Reliability`, or anything of the same kind: [B] each."""

    @property
    def score(self) -> NDArray[np.float64]: ...  # noqa: D102
    @property
    def precision(self) -> NDArray[np.float64]: ...  # noqa: D102
    @property
    def count(self) -> NDArray[np.int64]: ...  # noqa: D102
    @property
    def error(self) -> float: ...  # noqa: D102


def plot_reliability(found: Reliability, path: Target) -> None:
    """Precision over score: on the diagonal scores are shares of right boxes."""
    figure, (axes,) = new_panels(1, 1, size=(7.0, 5.0))
    axes.plot((0, 1), (0, 1), color="gray", linestyle=":")
    axes.plot(found.score, found.precision, marker="o", linewidth=1.5)
    for x, y, count in zip(found.score, found.precision, found.count, strict=True):
        axes.annotate(str(count), (x, y), fontsize=7, xytext=(3, -9), textcoords="offset points")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    _label(axes, f"calibration error {found.error:.3f}", "score", "precision, boxes at IoU 0.5")
    save_figure(figure, path)


def plot_curves(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    path: Target,
    title: str,
    across: str,
) -> None:
    """curves: name -> places and values, NaN where nothing was measured."""
    figure, (axes,) = new_panels(1, 1, size=(8.0, 4.5))
    for name, (places, values) in curves.items():
        points = [(x, y) for x, y in zip(places, values, strict=True) if math.isfinite(y)]
        if points:
            axes.plot(*zip(*points, strict=True), marker=".", linewidth=1.5, label=name)
            axes.legend(fontsize=8, frameon=False)
    _label(axes, title, across, "")
    save_figure(figure, path)


def plot_dataset(
    class_counts: Mapping[str, int],
    object_sizes: Mapping[int, int],
    image_sizes: Mapping[tuple[int, int], int],
    path: Target,
    title: str = "",
) -> None:
    """Objects per class, object sizes and image sizes.

    object_sizes: square root of the box's area in whole pixels -> objects; image_sizes: (width,
    height) in pixels -> images.
    """
    many = len(class_counts) > _MANY_CLASSES
    figure, (classes, sizes, images) = new_panels(1, 3, size=(22.0 if many else 15.0, 4.5))
    ordered = sorted(class_counts.items(), key=lambda item: -item[1])
    classes.bar(range(len(ordered)), [count for _, count in ordered])
    names = [name for name, _ in ordered]
    classes.set_xticks(range(len(names)), names, rotation=90, fontsize=5 if many else 8)
    _label(classes, f"{sum(class_counts.values())} objects", "", "objects")
    lengths = [max(1, length) for length in object_sizes]
    bins = np.geomspace(1, max([2, *lengths]), 40).tolist()
    sizes.hist(lengths, bins=bins, weights=list(object_sizes.values()))
    sizes.set_xscale("log")
    for border in (32, 96):  # COCO's small, medium, large
        sizes.axvline(border, color="gray", linestyle=":")
    _label(sizes, "object size", "square root of the box's area, px", "objects")
    if image_sizes:
        widths, heights = zip(*image_sizes, strict=True)
        weights = list(image_sizes.values())
        images.hist2d(widths, heights, bins=40, weights=weights, cmap="viridis_r", cmin=1)
    _label(images, f"{sum(image_sizes.values())} images", "width, px", "height, px")
    if title:
        figure.suptitle(title)
    save_figure(figure, path)


def new_panels(
    rows: int, columns: int, size: tuple[float, float] | None = None
) -> tuple[Figure, list[Axes]]:
    """A figure with a grid of axes, row by row; `size`: width and height in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size or (4.2 * columns, 3.2 * rows), layout="constrained", dpi=110)
    grid = figure.subplots(rows, columns, squeeze=False)
    return figure, list(grid.ravel())


def _label(axes: Axes, title: str, across: str, up: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(alpha=0.3)


def save_figure(figure: Figure, path: Target) -> None:
    """Write it as PNG. `savefig` would lay everything out twice, which takes most of the time."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure).print_png(path)  # type: ignore[no-untyped-call]
