"""`prepare_coco.py`: whether COCO 2017 is whole, what is missing, and fetching it when told to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from yolor_gp.data.coco2017 import fetch, problems_of
from yolor_gp.data.coco2017_parts import ARCHIVES, PARTS
from yolor_gp.errors import UserError
from yolor_gp.files import write_text
from yolor_gp.flags.prepare_coco import parser

_YAML = """\
# COCO 2017, as prepare_coco.py found it.
path: {folder}
train: images/train2017
val: images/val2017
annotations:
  train: annotations/instances_train2017.json
  val: annotations/instances_val2017.json
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Check; fetch what is missing if asked to; 0 when all is there.

    Raises:
        UserError: With a line for everything that is missing or damaged.
    """
    options = parser().parse(arguments)
    folder = Path(options.folder)
    parts = tuple(part for part in PARTS if options.part in (None, part.name))
    problems = problems_of(folder, parts, options.sample)
    if problems and options.download:
        _fetch(folder, problems, options.mirror, options.keep)
        problems = problems_of(folder, parts, options.sample)
    if problems:
        hint = "" if options.download else f"; --download fetches what is missing into {folder}"
        raise UserError(*problems[:-1], problems[-1] + hint)
    print(f"{folder}: COCO 2017 is whole: {', '.join(part.name for part in parts)}")
    if options.yaml:
        print(f"wrote {write_text(options.yaml, _YAML.format(folder=folder.resolve()))}")
    return 0


def _fetch(folder: Path, problems: Sequence[str], mirror: str, keep: bool) -> None:
    """Only the archives that some problem names."""
    for archive in ARCHIVES:
        if not any(archive.name in problem for problem in problems):
            continue
        with tqdm(total=archive.bytes, unit="B", unit_scale=True, desc=archive.name) as bar:
            fetch(folder, archive, progress=bar.update, base=mirror, keep=keep)
