"""YOLO text labels, every line of every file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from yolor_gp.data.doctor.labels import LabelFacts, Outlines, count_object, repeated_objects
from yolor_gp.data.doctor.report import Finding, error, warning
from yolor_gp.data.labels.yolo_txt import find_images, label_path, parse_labels
from yolor_gp.data.pixels.images import image_size, left_out
from yolor_gp.errors import UserError


def read_yolo_labels(sources: Sequence[Path], names: Sequence[str]) -> LabelFacts:
    """The labels of all images in `sources`."""
    facts = LabelFacts(names=tuple(names))
    try:
        images = find_images(sources)
    except UserError as problem:
        facts.findings += [_no_images(line) for line in problem.problems]
        return facts
    label_folders: dict[Path, set[str]] = {}
    image_folders = {image.parent for image in images}
    for folder in sorted(image_folders):
        if (line := left_out(folder.iterdir())) is not None:
            facts.findings.append(_left_out(folder, line))
    outlines = Outlines()
    for image in images:
        facts.images[str(image)] = None
        file = label_path(image)
        label_folders.setdefault(file.parent, set()).add(file.name)
        _read_file(image, file, facts, outlines)
        beside = image.with_suffix(".txt")
        if beside != file and beside.is_file():
            facts.findings.append(_twice(beside, file))
    facts.findings += outlines.findings()
    for folder, expected in label_folders.items():
        facts.findings += _orphans(folder, expected)
    return facts


def _read_file(image: Path, file: Path, facts: LabelFacts, outlines: Outlines) -> None:
    text = _text(file, facts.findings)
    objects, problems = parse_labels(text, str(file), len(facts.names))
    for problem in problems:
        where, _, detail = problem.partition(": ")
        facts.findings.append(error(_kind(detail), where, detail, "correct this line"))
    ignored = sum(1 for line in text.splitlines() if line.strip()) - len(objects) - len(problems)
    if ignored:
        facts.findings.append(
            warning(
                "ignored label",
                str(file),
                f"{ignored} lines repeat another or have no area inside",
                "remove them",
            )
        )
    facts.figures.empty_images += not objects
    for _, _, outline in objects:
        outlines.count(str(file), bool(outline))
    try:
        height, width = image_size(image)
    except UserError:
        return  # the image itself is examined elsewhere
    boxes = []
    for label, (left, top, right, bottom), _ in objects:
        box = (left * width, top * height, right * width, bottom * height)
        count_object(facts.figures, facts.names[label], box)
        boxes.append((facts.names[label], box))
    facts.findings += repeated_objects(str(file), boxes)


def _text(file: Path, findings: list[Finding]) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ""
    except OSError as problem:
        detail = str(problem.strerror)
        findings.append(error("label file unreadable", str(file), detail, "check its permissions"))
    except UnicodeDecodeError:
        findings.append(
            error("label file unreadable", str(file), "not a text file", "replace or remove it")
        )
    return ""


def _kind(detail: str) -> str:
    """The doctor's words for a problem of the label parser."""
    kinds = {
        "values": "wrong number of values", "is not one of": "class out of range",
        "finite": "not a number", "expected numbers": "not a number",
        "positive width": "empty box", "relative": "box outside",
    }  # fmt: skip
    return next((kind for words, kind in kinds.items() if words in detail), "malformed label")


def _no_images(line: str) -> Finding:
    where, _, detail = line.partition(": ")
    return error("no images", where, detail or line, "check the paths of the data YAML")


def _left_out(folder: Path, line: str) -> Finding:
    what, _, remedy = line.partition("; ")
    return warning("pictures left out", str(folder), what, remedy)


def _twice(beside: Path, used: Path) -> Finding:
    return warning("labels twice", str(beside), f"is not read, {used} is", "keep one of them")


def _orphans(folder: Path, expected: set[str]) -> list[Finding]:
    """Label files whose image is missing."""
    if not folder.is_dir():
        return [
            warning(
                "no label folder",
                str(folder),
                "no such folder, so its images have no objects",
                "put labels beside images/ in labels/",
            )
        ]
    return [
        warning("labels without image", str(file), "no image of this name", "restore or remove it")
        for file in sorted(folder.glob("*.txt"))
        if file.name not in expected and file.name != "classes.txt"
    ]
