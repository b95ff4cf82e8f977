"""`prepare_coco.py`: whether COCO 2017 is whole, what is missing, and fetching it when told to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from yolor_gp.commands.arguments import Arguments, whole_number
from yolor_gp.data.coco2017 import ARCHIVES, BASE, PARTS, SAMPLE, fetch, problems_of
from yolor_gp.errors import UserError
from yolor_gp.files import write_text

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
    options = _parser().parse(arguments)
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


def _parser() -> Arguments:
    parser = Arguments(
        "prepare_coco.py",
        description="Checks a folder of COCO 2017: annotations counted, all images there, a sample"
        " decoded. Nothing is downloaded unless asked for.",
    )
    add = parser.add_argument
    add("folder", nargs="?", default="datasets/coco", help="where COCO is, or shall be")
    add("--part", choices=[part.name for part in PARTS], help="only this one (none: both)")
    add("--sample", type=whole_number(0), default=SAMPLE, metavar="N", help="images decoded a part")
    add("--download", action="store_true", help="fetch what is missing: 20 GB, 41 GB while at it")
    add("--mirror", default=BASE, metavar="URL", help="where the archives are published")
    add("--keep", action="store_true", help="keep the archives")
    add("--yaml", metavar="FILE", help="also write a data YAML for this folder")
    return parser
