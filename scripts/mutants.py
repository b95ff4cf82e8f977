"""Breaks the detector's arithmetic in one place at a time, and shows that a test notices.

    python scripts/mutants.py --results FOLDER/mutants.json --table docs/mutants.md

Each mutant is one change of one line, made in a copy; the tests of losses, post-processing,
geometry, average and schedule run against it, without the numbers that lie beside the repository.
Results are kept after each; a second call goes on where the first was stopped. Exit code 1 when one
lives.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = (
    "tests/test_golden.py", "tests/losses", "tests/ops", "tests/detection/test_postprocess.py",
    "tests/engine/test_ema.py", "tests/engine/test_schedule.py",
)  # fmt: skip
NOT_HERE = "not coco and not slow and not ddp and not gpu"
UNCHANGED = "nothing"


@dataclass(frozen=True)
class Mutant:
    """`before`, which stands once in the file, becomes `after`."""

    file: str
    before: str
    after: str

    @property
    def name(self) -> str:
        """Its key in the results."""
        return f"{self.file}: {self.before} -> {self.after}"


MUTANTS = [
    Mutant(f"yolor_gp/{file}", before, after)
    for file, changes in {
        "losses/assigner.py": [
            ("amax(dim=2) < threshold", "amax(dim=2) <= threshold + 1"),
            ("torch.maximum(ratio, 1 / ratio)", "ratio"),
            ("(centre % 1 < reach)", "(centre % 1 < 0.4)"),
            ("& (centre > 1)", ""),
            ("& (grid - centre > 1)", "& (grid - centre > 2)"),
            ("(0, 0), (-1, 0), (0, -1)", "(0, 0), (0, -1), (-1, 0)"),
        ],
        "losses/detection_loss.py": [
            ("(1 - overlaps).sum() / counts[index]", "(1 - overlaps).mean()"),
            ("self.reduce_counts(counts) / self.world_size", "self.reduce_counts(counts)"),
            ("(images * self.world_size)", "images"),
            ("self.num_classes / _GAIN_CLASSES", "1 / 1"),
            ("_GAIN_LEVELS / len(raw.levels)", "1.0"),
            ("pixels / _GAIN_IMAGE_SIZE**2", "pixels / _GAIN_IMAGE_SIZE"),
            ('number, "amax")', 'number, "amin")'),
            ("overlaps.clamp(min=0)", "overlaps"),
            ("* self.config.balance[index]", ""),
            ("1 - half)", "1.0)"),
            ("return loss.sum() / self.num_classes", "return loss.sum()"),
            ("return 1 / counts[found.image]", "return torch.ones_like(counts[found.image])"),
            ("alpha=alpha, gamma=gamma", "alpha=alpha"),
        ],
        "losses/mask_loss.py": [
            ("window = (relative * cells).ceil()", "window = (relative * cells).floor()"),
            ("(sides[:, 0] * sides[:, 1])[target]", "sides[:, 0][target]"),
            ("- own + 1", "- own"),
        ],
        "ops/boxes.py": [
            ("(boxes - offset) / scale", "boxes / scale - offset"),
            ("alpha = aspect / (1 - iou + aspect + _EPSILON)", "alpha = aspect"),
            ("hull_width**2 + hull_height**2", "hull_width**2"),
            ("(hull - union) / hull", "(hull - union) / union"),
        ],
        "ops/anchor_decode.py": [
            ("- coding.reach + cells", "- 0.4 + cells"),
            ("(activation[..., 2:4] * 2) ** 2", "(activation[..., 2:4] * 2) ** 1"),
        ],
        "ops/nms.py": [
            ("labels[visited] * offset", "labels[visited] * 0"),
            ("best > confidence", "best >= confidence / 2"),
            ("class_scores * objectness[:, None]", "class_scores"),
            ("return kept[:max_detections]", "return kept"),
        ],
        "detection/postprocess.py": [
            ("candidates.image.sort(stable=True)", "candidates.image.sort(descending=True)"),
            ("values[row, 1 + num_classes :]", "values[keep, 1 + num_classes :]"),
        ],
        "ops/letterbox.py": [
            ("slack = 1e-6 if round_up else 0.0", "slack = 0.0"),
            ("top=pad_height // 2", "top=(pad_height + 1) // 2"),
            ("whole = math.ceil if round_up else round", "whole = round"),
        ],
        "ops/masks.py": [
            ("math.ceil(begin - 0.5)", "math.ceil(begin)"),
            ("windows = np.ceil(", "windows = np.floor("),
        ],
        "engine/ema.py": [
            ("1 - math.exp(-updates / config.warmup)", "math.exp(-updates / config.warmup)"),
            ("self.updates += 1", "self.updates += 0"),
            ("_copied, self._counters)", "_copied, self._copied)"),
        ],
        "engine/schedule.py": [
            ("position, (0, self.warmup_steps)", "position, (1, self.warmup_steps)"),
            ("(1 - config.final_fraction) * remaining", "remaining"),
            ("else 0.0\n", "else rate\n"),
            ("position // self.steps_per_epoch", "position / self.steps_per_epoch"),
        ],
    }.items()
    for before, after in changes
]


def main() -> int:
    """Run what has not run yet; print and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, required=True, help="JSON kept after each mutant")
    parser.add_argument("--table", type=Path, help="Markdown file to write")
    arguments = parser.parse_args()
    results = json.loads(arguments.results.read_text()) if arguments.results.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        tree = copied_tree(Path(folder))
        for name, caught_by in run(tree, results):
            results[name] = caught_by
            arguments.results.write_text(json.dumps(results, indent=1))
            print(f"{len(results) - 1} of {len(MUTANTS)}  {name}\n    {caught_by or 'LIVES'}")
    if arguments.table:
        arguments.table.write_text(table(results))
    living = [mutant.name for mutant in MUTANTS if not results[mutant.name]]
    print(f"{len(MUTANTS) - len(living)} of {len(MUTANTS)} caught")
    return 1 if living else 0


def copied_tree(folder: Path) -> Path:
    """The repository's package and tests, in `folder`."""
    hidden = shutil.ignore_patterns("__pycache__")
    for name in ("yolor_gp", "cfg", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=hidden)
    shutil.copy(ROOT / "setup.cfg", folder)
    return folder


def run(tree: Path, known: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Of each that is not known yet: its name, and the first test that failed ("" for none)."""
    if UNCHANGED not in known:
        failed = first_failure(tree)
        if failed:
            raise SystemExit(f"the tests fail before anything is broken: {failed}")
        yield UNCHANGED, "all tests pass"
    for mutant in MUTANTS:
        if mutant.name in known:
            continue
        path = tree / mutant.file
        text = path.read_text()
        path.write_text(text.replace(mutant.before, mutant.after, 1))
        try:
            yield mutant.name, first_failure(tree)
        finally:
            path.write_text(text)


def first_failure(tree: Path) -> str:
    """The test that failed first, "" when all passed."""
    environment = os.environ | {
        "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"
    }  # fmt: skip
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", NOT_HERE]
    done = subprocess.run(
        [*command, *TESTS], cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return ""
    for line in done.stdout.splitlines():
        if line.startswith(("FAILED ", "ERROR ")):
            return line.split(" ", 1)[1].split(" - ")[0]
    return "the tests could not be collected"


def table(results: dict[str, str]) -> str:
    """Markdown: a row for each mutant."""
    lines = [
        "# What the tests notice",
        "",
        f"{len(MUTANTS)} deliberate faults, one at a time; the first test that fails for each.",
        "Made by `python scripts/mutants.py --results FILE.json --table docs/mutants.md`, from a",
        "copy with nothing beside it.",
        "",
        "| where | was | became | caught by |",
        "|---|---|---|---|",
    ]
    for mutant in MUTANTS:
        file = mutant.file.removeprefix("yolor_gp/")
        caught = results[mutant.name]
        by = f"`{caught.removeprefix('tests/')}`" if caught else "**nothing**"
        cells = [
            f"`{text.strip()}`" if text.strip() else "" for text in (mutant.before, mutant.after)
        ]
        lines.append(f"| {file} | {cells[0]} | {cells[1]} | {by} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
