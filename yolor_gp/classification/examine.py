"""The doctor's visit to labelled images: unreadable files, empty classes, copies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from yolor_gp.classification.labelled_images import LabelledImages
from yolor_gp.classification.open_data import ClassificationData
from yolor_gp.data.doctor.all_images import Progress, copies, examine_images, leakage
from yolor_gp.data.doctor.fingerprint import combined
from yolor_gp.data.doctor.image_files import ImageFacts
from yolor_gp.data.doctor.report import Finding, Report, SplitFigures, warning
from yolor_gp.data.doctor.report_cache import read_report, write_report

SCHEMA = "labelled images 1"
"""Change this when a check is added or changed, so that older reports are not read."""


def examine(
    data: ClassificationData, *, use_cache: bool = True, progress: Progress | None = None
) -> Report:
    """Examine every image of both parts; the report is kept while nothing changes.

    Pictures in memory were checked when they were read. Raises nothing for what is wrong: see
    `Report.raise_errors`.
    """
    parts = {"train": data.train, "val": data.val}
    # The paths too: data of equal content elsewhere get messages that name their own files.
    fingerprint = combined((SCHEMA, *data.fingerprint.values(), data.train.name, data.val.name))
    if use_cache and (kept := read_report(fingerprint)) is not None:
        return kept
    files = [part for part in parts.values() if part.pictures is None]
    examined = examine_images({path: None for part in files for path in part.paths}, progress)
    findings: list[Finding] = []
    figures = {}
    for split, part in parts.items():
        own = [examined[path] for path in part.paths if path in examined]
        figures[split] = _figures(part, own)
        findings += [finding for image in own for finding in image.findings]
        findings += [*_empty_classes(part), *copies(own)]
    findings += leakage(*([examined[p] for p in part.paths if p in examined] for part in (
        data.train, data.val)))  # fmt: skip
    report = Report(fingerprint, tuple(dict.fromkeys(findings)), figures)
    write_report(report)
    return report


def _figures(part: LabelledImages, images: Sequence[ImageFacts]) -> SplitFigures:
    figures = SplitFigures(images=len(part), objects=len(part), class_counts=part.counts())
    for image in images:
        if image.size is not None:
            figures.image_sizes[f"{image.size[1]}x{image.size[0]}"] += 1
    return figures


def _empty_classes(part: LabelledImages) -> Iterator[Finding]:
    empty = [name for name, count in part.counts().items() if not count]
    if empty:
        shown = ", ".join(empty[:8]) + (", ..." if len(empty) > 8 else "")
        detail = f"{len(empty)} of {len(part.names)}: {shown}"
        yield warning("class without images", part.name, detail, "add some, or remove the class")
