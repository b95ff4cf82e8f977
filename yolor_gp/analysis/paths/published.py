"""Path statistics of the paper's rows beside the AP it reports, and how their ranks agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yolor_gp.analysis.paths.path_results import NetworkPaths
from yolor_gp.analysis.paths.text_table import text_table


@dataclass(frozen=True)
class PublishedRow:
    """A row of Tables 3 to 8 of [GP]: its model file, the group it varies, box and mask AP."""

    name: str
    label: str
    box_ap: float
    mask_ap: float
    gflops: float


# [GP] Tables 3-8, COCO val2017 at 640 px. YOLOR-v3 is the row with SPP (see the model file).
PUBLISHED_ROWS = (
    PublishedRow("table3-stop-gradient-a", "YOLOR-CSP, block stopped", 48.8, 39.5, 159.0),
    PublishedRow("table3-stop-gradient-b", "YOLOR-CSP, identity stopped", 47.7, 38.7, 159.0),
    PublishedRow("table4-vovnet-elan", "Deep VoVNet + ELAN", 53.3, 42.9, 253.4),
    PublishedRow("table4-vovnet-elan-csp", "Deep VoVNet + ELAN + CSP", 53.4, 42.9, 236.5),
    PublishedRow("table5-yolor-v3", "YOLOR-v3", 49.5, 40.9, 194.6),
    PublishedRow("table5-yolor-prn", "YOLOR-PRN", 50.0, 41.0, 194.6),
    PublishedRow("table6-csp-fusion", "+ CSP fusion (YOLOR-CSP)", 51.0, 41.1, 159.0),
    PublishedRow("table6-csp-fusion-first", "+ CSP fusion first", 50.8, 41.0, 158.1),
    PublishedRow("table6-csp-fusion-last", "+ CSP fusion last", 50.6, 40.9, 155.6),
    PublishedRow("table6-csp-no-fusion", "+ CSP no fusion", 50.5, 40.9, 154.8),
    PublishedRow("table7-elan-1-1", "+ ELAN-{1,1}s", 50.2, 40.6, 126.4),
    PublishedRow("table7-elan-2-1", "+ ELAN-{2,1}s", 51.4, 41.5, 143.2),
    PublishedRow("table7-elan-2-2", "+ ELAN-{2,2}s", 51.8, 41.6, 164.0),
    PublishedRow("table8-yolov5l-seg", "YOLOv5l", 49.1, 40.0, 147.7),
    PublishedRow("table8-yolov5x-seg", "YOLOv5x", 50.9, 41.4, 265.7),
)

# Subsets in which little but the idea under test changes.
_COMPARISONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("all rows", tuple(row.name for row in PUBLISHED_ROWS)),
    (
        "one family (Tables 3, 5, 6: same stages, no ELAN)",
        tuple(row.name for row in PUBLISHED_ROWS if row.name[:6] in ("table3", "table5", "table6")),
    ),
    ("CSP fusion (Table 6)", tuple(r.name for r in PUBLISHED_ROWS if r.name[:6] == "table6")),
    ("ELAN (Table 7)", tuple(r.name for r in PUBLISHED_ROWS if r.name[:6] == "table7")),
)
_STATISTICS = (
    "longest shortest",
    "longest",
    "combinations",
    "sources",
    "mean shortest",
    "log10 paths",
)


def path_numbers(paths: NetworkPaths) -> tuple[float, ...]:
    """Longest shortest and longest path, combinations, sources, mean shortest path, log10 of paths.

    The last counts the paths that reach the first layer.
    """
    shortest = [layer.shortest for layer in paths.layers if layer.shortest is not None]
    return (
        float(paths.total.longest_shortest or 0),
        float(paths.total.longest or 0),
        float(paths.total.combinations),
        float(paths.total.sources),
        float(np.mean(shortest)),
        _log10(sum(paths.layers[0].paths_by_length.values())),
    )


def _log10(count: int) -> float:
    """Of an integer too long for a float, too; 0 for none."""
    digits = str(count)
    return len(digits[15:]) + float(np.log10(int(digits[:15]))) if count else 0.0


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rho, ties given their mean rank; None when either does not vary."""
    a, b = _ranks(first), _ranks(second)
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return None if scale == 0 else float(a @ b) / scale


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    below = (array[None, :] < array[:, None]).sum(axis=1)
    equal = (array[None, :] == array[:, None]).sum(axis=1)
    ranks: NDArray[np.float64] = below + (equal - 1) / 2
    return ranks


def comparison_with_ap(networks: Sequence[NetworkPaths]) -> str:
    """The rows among `networks` with their AP, then rank correlations within comparable groups."""
    by_name = {paths.graph.name: paths for paths in networks}
    rows = [row for row in PUBLISHED_ROWS if row.name in by_name]
    numbers = {row.name: path_numbers(by_name[row.name]) for row in rows}
    table = [
        [row.label, f"{row.box_ap:.1f}", f"{row.mask_ap:.1f}", f"{row.gflops:.1f}"]
        + [f"{value:.4g}" for value in numbers[row.name]]
        for row in rows
    ]
    header = ["row", "AP box", "AP mask", "GFLOPs", *_STATISTICS]
    blocks = [text_table(header, table)]
    correlations = []
    for label, names in _COMPARISONS:
        inside = [row for row in rows if row.name in names]
        if len(inside) < 3:
            continue
        ap = [row.box_ap for row in inside]
        columns = [list(column) for column in zip(*(numbers[r.name] for r in inside), strict=True)]
        flops = [row.gflops for row in inside]
        cells = [rank_correlation(column, ap) for column in (flops, *columns)]
        correlations.append(
            [f"{label}, n={len(inside)}"]
            + ["no spread" if cell is None else f"{cell:+.2f}" for cell in cells]
        )
    if correlations:
        header = ["Spearman's rho with box AP", "GFLOPs", *_STATISTICS]
        blocks.append(text_table(header, correlations))
    return "\n\n".join(blocks)
