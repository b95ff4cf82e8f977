"""Box and mask AP of a training from fresh weights and its time, beside Ultralytics'.

    python -m benchmarks.accuracy.command --data mine.yaml --img 320 --project runs/accuracy

Same data, same machine, same thread count, one after the other, seed by seed. Both get the data,
the size and the seed, and choose all else by themselves (`--epochs` and `--peer-epochs` say a
length). Both are validated by pycocotools on the detections of their best weights, at confidence
0.001. A run that is there already is not trained again, so that seeds can be added. Time is given
by the clock and in core seconds, which other work on the machine hardly changes. The peer is called
where it is installed; nothing of it is part of this project.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmarks.accuracy.contestants import Ours, Peer, Trained
from yolor_gp.config.data_config import load_data_config
from yolor_gp.data.datasets import open_dataset
from yolor_gp.data.detection_dataset import DetectionDataset


def main() -> int:
    """Train what is not there yet; print a table of seeds, means and ratios."""
    options = _options()
    dataset = open_dataset(load_data_config(options.data), "val", image_size=options.img)
    folder = Path(options.project)
    ours = Ours(options.cfg, options.data, options.img, options.epochs, folder / "ours")
    peer = Peer(options.peer, dataset, options.data, options.img, options.peer_epochs,
                folder / "peer")  # fmt: skip
    has_peer = importlib.util.find_spec("ultralytics") is not None
    mine, others = [], []
    for seed in options.seeds:
        mine.append(ours.trained(seed))
        print(_line("yolor_gp", seed, mine[-1], figures(dataset, mine[-1])), flush=True)
        if has_peer:
            others.append(peer.trained(seed))
            print(_line("peer", seed, others[-1], figures(dataset, others[-1])), flush=True)
    print(summary(dataset, mine, others))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="data YAML")
    parser.add_argument("--img", type=int, default=320, help="side of the input")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cfg", default="yolor-elan-n", help="our model")
    parser.add_argument("--epochs", type=int, help="of ours (none: as the recipe says)")
    parser.add_argument("--peer", default="yolov8n", help="the peer's model, without -seg")
    parser.add_argument("--peer-epochs", type=int, default=60)
    parser.add_argument("--project", default="runs/accuracy", help="where runs are kept")
    return parser.parse_args()


def figures(dataset: DetectionDataset, run: Trained) -> dict[str, float]:
    """AP, AP50 and AP75 of boxes and, where there are any, of masks, by pycocotools."""
    rows = json.loads(run.predictions.read_text())
    found: dict[str, float] = {}
    for kind in ["bbox"] if dataset.has_boxes_only else ["bbox", "segm"]:
        truth = COCO()
        truth.dataset = dataset.ground_truth().load()
        with contextlib.redirect_stdout(io.StringIO()):
            truth.createIndex()
            stats = _stats(truth, [_of_kind(row, kind) for row in rows], kind)
        for name, value in zip(("AP", "AP50", "AP75"), stats, strict=False):
            found[f"{'box' if kind == 'bbox' else 'mask'} {name}"] = value
    return found


def _of_kind(row: dict[str, Any], kind: str) -> dict[str, Any]:
    """An object's size is its mask's where masks are compared, as in the official format."""
    return {key: value for key, value in row.items() if kind == "bbox" or key != "bbox"}


def _stats(truth: COCO, rows: Sequence[dict[str, Any]], kind: str) -> list[float]:
    if not rows:
        return [0.0] * 3
    # pycocotools' evaluator itself, for both; it evaluates detections, not code.
    evaluation = COCOeval(truth, truth.loadRes(list(rows)), kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return [float(value) for value in evaluation.stats[:3]]


def summary(dataset: DetectionDataset, mine: Sequence[Trained], others: Sequence[Trained]) -> str:
    """Means over the seeds, their spread, and what one is of the other."""
    rows = ["| | " + " | ".join(figures(dataset, mine[0])) + " | seconds | core seconds |"]
    rows.append("|---" * (len(figures(dataset, mine[0])) + 3) + "|")
    means = []
    for name, runs in (("yolor_gp", mine), ("peer", others)):
        if runs:
            columns = {key: [figures(dataset, run)[key] for run in runs]
                       for key in figures(dataset, runs[0])}  # fmt: skip
            columns["seconds"] = [run.seconds for run in runs]
            columns["core seconds"] = [run.core_seconds for run in runs]
            means.append({key: statistics.mean(values) for key, values in columns.items()})
            cells = [_cell(key, values) for key, values in columns.items()]
            seeds = "1 seed" if len(runs) == 1 else f"{len(runs)} seeds"
            rows.append(f"| {name}, {seeds} | " + " | ".join(cells) + " |")
    if others:
        ours, theirs = means
        ratios = [_ratio(ours[key], theirs[key]) for key in ours]
        rows.append("| ratio | " + " | ".join(ratios) + " |")
        rows += ["", *_on_the_way(mine, theirs)]
    return "\n".join(rows)


def _on_the_way(mine: Sequence[Trained], theirs: Mapping[str, float]) -> list[str]:
    """Ours before the end: when it was as good as the peer, how good in half the peer's time."""
    peer, time = theirs["box AP"], theirs["core seconds"]
    reached = [_share_to(run, peer) for run in mine]
    words = ", ".join(
        "never" if share is None else f"{share * run.core_seconds:.0f} core s"
        for share, run in zip(reached, mine, strict=True)
    )
    found = [_best_within(run, time / 2) for run in mine]
    return [
        f"The peer's mean box AP was reached after: {words}.",
        f"In half the peer's mean core seconds: box AP {_cell('box AP', found)},"
        f" {_ratio(statistics.mean(found), peer)}.",
    ]


def _ratio(ours: float, theirs: float) -> str:
    return f"{ours / theirs:.2f}x" if theirs > 0 else "-"


def _cell(key: str, values: Sequence[float]) -> str:
    form = "{:.0f}" if key.endswith("seconds") else "{:.3f}"
    each = " ".join(form.format(value) for value in values)
    return f"{form.format(statistics.mean(values))} ({each})"


def _share_to(run: Trained, figure: float) -> float | None:
    """The share of the training after which a validation found `figure`."""
    return next((share for share, found in run.curve if found >= figure), None)


def _best_within(run: Trained, core_seconds: float) -> float:
    """The best that validations in the first `core_seconds` of a training found."""
    return max(
        (found for share, found in run.curve if share * run.core_seconds <= core_seconds), default=0
    )


def _line(who: str, seed: int, run: Trained, found: dict[str, float]) -> str:
    words = ", ".join(f"{key} {value:.3f}" for key, value in found.items())
    return f"{who}, seed {seed}: {words}; {run.seconds:.0f} s, {run.core_seconds:.0f} core s"


if __name__ == "__main__":
    raise SystemExit(main())
