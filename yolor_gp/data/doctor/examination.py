"""The whole examination of a data set: labels, images, and what they are to each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from yolor_gp.config.data_config import DataConfig, Split
from yolor_gp.data.doctor.all_images import Progress, copies, examine_images, leakage
from yolor_gp.data.doctor.coco_labels import read_coco_labels
from yolor_gp.data.doctor.fingerprint import (
    coco_fingerprint,
    combined,
    table_fingerprint,
    yolo_fingerprint,
)
from yolor_gp.data.doctor.image_files import ImageFacts
from yolor_gp.data.doctor.labels import LabelFacts
from yolor_gp.data.doctor.report import Finding, Report, error, warning
from yolor_gp.data.doctor.report_cache import read_report, write_report
from yolor_gp.data.doctor.slices import slice_findings
from yolor_gp.data.doctor.table_labels import read_table_labels
from yolor_gp.data.doctor.yolo_labels import read_yolo_labels
from yolor_gp.data.shapes.data_set import draw_shapes

SCHEMA = 3
"""Raise this when a check is added or changed, so that older reports are not read."""

SPLITS: tuple[Split, ...] = ("train", "val")


def examine(
    config: DataConfig,
    *,
    splits: Sequence[Split] = SPLITS,
    use_cache: bool = True,
    write_cache: bool = True,
    progress: Progress | None = None,
) -> Report:
    """Examine every label and every image of `splits`; splits the file does not name are left out.

    The report is kept under a key of the labels' content, the images' sizes and times, the
    configuration and the schema, and read again while none of them has changed. With several
    processes let only one `write_cache`. Raises nothing for what is wrong with the data: see
    `Report.raise_errors`.
    """
    splits = [split for split in splits if config.form == "shapes" or getattr(config, split)]
    fingerprint = _fingerprint(config, splits)
    if use_cache and (kept := read_report(fingerprint)) is not None:
        return kept
    labels = {split: _labels(config, split) for split in splits}
    images = examine_images(
        {path: size for facts in labels.values() for path, size in facts.images.items()}, progress
    )
    findings: list[Finding] = []
    for split, facts in labels.items():
        own = [images[path] for path in facts.images]
        _enter_images(facts, own)
        findings += facts.findings
        findings += [finding for image in own for finding in image.findings]
        findings += _of_split(config, split, facts, own)
        if not any(finding.severity == "error" for finding in findings):
            findings += slice_findings(config, split, facts.figures)
    if "train" in labels and "val" in labels:
        findings += leakage(*([images[path] for path in labels[split].images] for split in SPLITS))
    report = Report(
        fingerprint, _once(findings), {split: facts.figures for split, facts in labels.items()}
    )
    if write_cache:
        write_report(report)
    return report


def _coco_files(config: DataConfig, split: Split) -> tuple[Path, Path]:
    """The JSON and the image folder of a split; built-in shapes are drawn first."""
    if config.shapes is not None:
        return draw_shapes(config.root.absolute(), split, config.shapes)
    return config.annotations[split].absolute(), config.images(split)[0].absolute()


def _labels(config: DataConfig, split: Split) -> LabelFacts:
    match config.form:
        case "yolo":
            return read_yolo_labels(config.images(split), config.names)
        case "coco" | "shapes":
            return read_coco_labels(*_coco_files(config, split))
        case _:
            return read_table_labels(config, split)


def _fingerprint(config: DataConfig, splits: Sequence[Split]) -> str:
    parts = [f"schema {SCHEMA}"]
    parts += [f"{config.file} {split} {_fingerprint_of(config, split)}" for split in splits]
    parts += [f"{split} {cut!r}" for split in splits if (cut := config.slice_of(split))]
    return combined(parts)


def _fingerprint_of(config: DataConfig, split: Split) -> str:
    match config.form:
        case "yolo":
            return yolo_fingerprint(config.images(split), config.names)
        case "coco" | "shapes":
            return coco_fingerprint(*_coco_files(config, split))
        case _:
            return table_fingerprint(config, split)


def _enter_images(facts: LabelFacts, images: Iterable[ImageFacts]) -> None:
    figures = facts.figures
    figures.images = len(facts.images)
    for image in images:
        if image.size is not None:
            figures.image_sizes[f"{image.size[1]}x{image.size[0]}"] += 1


def _of_split(
    config: DataConfig, split: Split, facts: LabelFacts, images: Sequence[ImageFacts]
) -> list[Finding]:
    """Empty sets, classes without objects, and images that are there twice."""
    findings: list[Finding] = []
    where = f"{config.file} ({split})"
    if not facts.images and not facts.findings:
        findings.append(error("empty set", where, "no images", "check the paths"))
    wrong = any(finding.severity == "error" for finding in facts.findings)
    if facts.images and not facts.figures.objects and not wrong:
        crowds = facts.figures.crowds
        detail, remedy = "not one object", "check where the labels are looked for"
        if crowds:
            detail = f"{crowds} of {crowds} objects are iscrowd, which training leaves out"
            remedy = "write iscrowd 0 for single objects"
        kind = error if split == "train" else warning
        findings.append(kind("no objects", where, detail, remedy))
    unused = [name for name in facts.names if not facts.figures.class_counts[name]]
    if unused and facts.figures.objects:
        shown = ", ".join(unused[:8]) + (", ..." if len(unused) > 8 else "")
        findings.append(
            warning(
                "class without objects",
                where,
                f"{len(unused)} of {len(facts.names)}: {shown}",
                "label some, or remove the class",
            )
        )
    return [*findings, *copies(images)]


def _once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Without repetitions: an image used by both splits is wrong only once."""
    return tuple(dict.fromkeys(findings))
