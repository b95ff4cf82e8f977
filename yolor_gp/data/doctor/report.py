"""What the doctor writes down: findings, and the figures of each split."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from yolor_gp.errors import UserError

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One problem. An error stops training; a warning costs accuracy or is worth a look.

    kind: what it is, the same words for all findings of its kind; where: image, file with line, or
    annotation id; detail: what was found there.
    """

    severity: Severity
    kind: str
    where: str
    detail: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.detail}; {self.remedy}"


@dataclass
class SplitFigures:
    """Counts of one split.

    class_counts: objects by class name; object_sizes: square root of the box's area in whole
    pixels -> objects; image_sizes: "WIDTHxHEIGHT" -> images; slices: what images are
    cut into, 0 where they are not.
    """

    images: int = 0
    slices: int = 0
    objects: int = 0
    empty_images: int = 0
    crowds: int = 0
    class_counts: Counter[str] = field(default_factory=Counter)
    object_sizes: Counter[int] = field(default_factory=Counter)
    image_sizes: Counter[str] = field(default_factory=Counter)

    @property
    def images_by_size(self) -> dict[tuple[int, int], int]:
        """(width, height) -> images."""
        pairs = ((text.split("x"), count) for text, count in self.image_sizes.items())
        return {(int(width), int(height)): count for (width, height), count in pairs}


@dataclass(frozen=True)
class Report:
    """Everything the doctor found. fingerprint: of what was examined."""

    fingerprint: str
    findings: tuple[Finding, ...]
    splits: dict[str, SplitFigures]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings that stop training."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The others."""
        return tuple(finding for finding in self.findings if finding.severity == "warning")

    def raise_errors(self, most: int = 20) -> None:
        """Refuse data with errors; do nothing when there are none.

        Raises:
            UserError: With the first `most` errors.
        """
        lines = [str(finding) for finding in self.errors[:most]]
        if len(self.errors) > most:
            lines.append(f"... and {len(self.errors) - most} more; check_dataset lists them all")
        if lines:
            raise UserError(*lines)

    def lines(self, most: int = 3) -> list[str]:
        """Readable text: a line per kind with its count, and its first `most` findings."""
        lines = [
            f"{split}: {figures.images} images ({figures.empty_images} without objects), "
            f"{figures.objects} objects in {len(+figures.class_counts)} classes"
            + (f", cut into {figures.slices} images" if figures.slices else "")
            for split, figures in self.splits.items()
        ]
        for severity, findings in (("error", self.errors), ("warning", self.warnings)):
            for kind, count in Counter(finding.kind for finding in findings).most_common():
                lines.append(f"{severity}: {kind} ({count})")
                of_kind = [finding for finding in findings if finding.kind == kind]
                lines += [f"  {finding}" for finding in of_kind[:most]]
                if count > most:
                    lines.append(f"  ... and {count - most} more")
        lines.append(f"{len(self.errors)} errors, {len(self.warnings)} warnings")
        return lines

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `from_json` makes the report again."""
        return {
            "fingerprint": self.fingerprint,
            "errors": len(self.errors),
            "warnings": len(self.warnings),
            "findings": [vars(finding) for finding in self.findings],
            "splits": {split: vars(figures) for split, figures in self.splits.items()},
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Report:
        """The inverse of `to_json`.

        Raises:
            KeyError: When something is missing.
            TypeError: When it is something else.
        """
        findings = tuple(Finding(**finding) for finding in content["findings"])
        splits = {}
        for split, figures in content["splits"].items():
            restored = SplitFigures(**figures)
            restored.class_counts = Counter(restored.class_counts)
            sizes = {int(size): count for size, count in figures["object_sizes"].items()}
            restored.object_sizes = Counter(sizes)
            restored.image_sizes = Counter(restored.image_sizes)
            splits[split] = restored
        return cls(content["fingerprint"], findings, splits)


def error(kind: str, where: str, detail: str, remedy: str) -> Finding:
    """A finding that stops training."""
    return Finding("error", kind, where, detail, remedy)


def warning(kind: str, where: str, detail: str, remedy: str) -> Finding:
    """A finding worth a look."""
    return Finding("warning", kind, where, detail, remedy)
