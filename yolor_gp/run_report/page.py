"""The page itself: one HTML file that fetches nothing."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from html import escape

from yolor_gp.data.doctor.report import SplitFigures
from yolor_gp.evaluation.calibration import class_thresholds, reliability
from yolor_gp.evaluation.curves import confusion_matrix
from yolor_gp.run_report.comparison import comparison
from yolor_gp.run_report.evidence import Evidence
from yolor_gp.run_report.pictures import Pair, choose
from yolor_gp.structures.eval_result import COLUMNS
from yolor_gp.visualize.page import grid, jpeg, picture, section, table, whole_page
from yolor_gp.visualize.plots import (
    plot_confidence,
    plot_confusion,
    plot_dataset,
    plot_precision_recall,
    plot_reliability,
    plot_training,
)


def render(runs: Sequence[Evidence]) -> str:
    """The page: of several runs first what distinguishes them, then each."""
    title = " beside ".join(run.name for run in runs)
    body = [f"<h1>{escape(title)}</h1>"]
    if len(runs) > 1:
        body.append(comparison(runs))
    for run in runs:
        head = f"<h1>{escape(run.name)}</h1>" if len(runs) > 1 else ""
        body.append(f"{head}<p class='lead'>{escape(_lead(run))}</p>{_run(run)}")
    return whole_page(title, "\n".join(body))


def _lead(run: Evidence) -> str:
    summary = run.summary
    return (
        f"{run.source}: {summary.params / 1e6:.2f} M parameters,"
        f" {summary.gflops:.2f} GFLOPs at {summary.size} px; {run.found.images} images of"
        f" {run.data} at {run.size} px, {len(run.names)} classes"
    )


def _run(run: Evidence) -> str:
    confidence = run.matches.over_confidence().best_confidence()
    chosen = choose(run.found, confidence)
    sections = [
        section("Average precision", _figures(run)),
        section("How it went", _training(run)),
        section("Precision, recall and confusion", _curves(run, confidence)),
        section("Classes", _classes(run)),
        section("Best images", _pairs(chosen.best, "no image without a mistake")),
        section("Images with most mistakes", _pairs(chosen.worst, "no mistakes")),
        section("Data", _data(run)),
        section("To repeat", _provenance(run)),
    ]
    return "\n".join(sections)


def _figures(run: Evidence) -> str:
    parts = run.found.result.parts
    rows = [[name, *(_percent(part[key]) for key in COLUMNS)] for name, part in parts.items()]
    return table(["", *COLUMNS], rows)


def _training(run: Evidence) -> str:
    if not run.history:
        return "<p>No run folder: nothing is known of its training.</p>"
    columns = {
        name: [row[name] for row in run.history] for name in run.history[0] if name != "skipped"
    }
    return picture(lambda file: plot_training(columns, file), "losses, figures and rates")


def _curves(run: Evidence, confidence: float) -> str:
    matches, evaluator = run.matches, run.found.evaluator
    over = matches.over_confidence()
    by_name = evaluator.precision_over_recall()
    matrix = confusion_matrix(
        evaluator.images(), evaluator.coco, evaluator.truth.category_ids, confidence=confidence
    )
    trust = reliability(matches)
    title = f"boxes of confidence {confidence:.2f}"
    return grid([
        picture(lambda file: plot_precision_recall(by_name, file), "precision over recall"),
        picture(lambda file: plot_confidence(over, matches.objects > 0, file), "over confidence"),
        picture(lambda file: plot_confusion(matrix, run.names, file, title), "confusion"),
        picture(lambda file: plot_reliability(trust, file), "can scores be trusted?"),
    ])  # fmt: skip


def _classes(run: Evidence) -> str:
    matches, parts = run.matches, run.found.result.parts
    by_f1, by_precision = class_thresholds(matches), class_thresholds(matches, 0.9)
    rows = []
    for label in sorted(range(len(run.names)), key=lambda k: -matches.objects[k]):
        name = run.names[label]
        if matches.objects[label]:
            aps = [_percent(part.per_class[name]) for part in parts.values()]
            limits = [f"{by_f1[label]:.2f}", _limit(by_precision[label])]
            rows.append([name, str(matches.objects[label]), *aps, *limits])
    heads = ["class", "objects", *(f"{part} AP" for part in parts)]
    return table([*heads, "score of best F1", "score of precision 0.9"], rows)


def _pairs(pairs: Sequence[Pair], none: str) -> str:
    if not pairs:
        return f"<p>{none}</p>"
    note = "<p class='lead'>Truth on the left, detections on the right.</p>"
    return note + grid([jpeg(pair.picture, pair.words) for pair in pairs], wide=True)


def _data(run: Evidence) -> str:
    pictures = "".join(_split(name, figures) for name, figures in run.doctor.splits.items())
    words = escape("\n".join(run.doctor.lines()))
    return f"{pictures}<h3>What the doctor says</h3><pre>{words}</pre>"


def _split(name: str, figures: SplitFigures) -> str:
    objects, sizes = figures.object_sizes, figures.images_by_size
    return picture(
        lambda file: plot_dataset(figures.class_counts, objects, sizes, file, name),
        f"{name}: objects, their sizes, images",
    )


def _provenance(run: Evidence) -> str:
    parts = []
    for start in run.starts:
        command = shlex.join(map(str, start.get("command", [])))
        versions = ", ".join(f"{name} {found}" for name, found in start.get("versions", {}).items())
        lines = [f"$ {command}", f"in {start.get('folder', '?')}, {start.get('started', '?')}"]
        lines += [versions, f"hardware: {start.get('hardware', '?')}", f"git: {start.get('git')}"]
        parts.append(f"<pre>{escape(chr(10).join(lines))}</pre>")
    if run.config is not None:
        settings = escape(run.config.to_yaml())
        parts.append(f"<details><summary>config.yaml</summary><pre>{settings}</pre></details>")
    return "".join(parts) or "<p>No run folder: nothing is known of its making.</p>"


def _percent(value: float) -> str:
    return "-" if value < 0 else f"{100 * value:.1f}"


def _limit(value: float) -> str:
    return "never" if value >= 1 else f"{value:.2f}"
