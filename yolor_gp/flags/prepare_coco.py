"""The flags of `prepare_coco.py`."""

from __future__ import annotations

from yolor_gp.data.coco2017_parts import BASE, PARTS, SAMPLE
from yolor_gp.flags.arguments import Arguments, whole_number


def parser() -> Arguments:
    """Every flag of the command."""
    flags = Arguments(
        "prepare_coco.py",
        description="Checks a folder of COCO 2017: annotations counted, all images there, a sample"
        " decoded. Nothing is downloaded unless asked for.",
    )
    add = flags.add_argument
    add("folder", nargs="?", default="datasets/coco", help="where COCO is, or shall be")
    add("--part", choices=[part.name for part in PARTS], help="only this one (none: both)")
    add("--sample", type=whole_number(0), default=SAMPLE, metavar="N", help="images decoded a part")
    add("--download", action="store_true", help="fetch what is missing: 20 GB, 41 GB while at it")
    add("--mirror", default=BASE, metavar="URL", help="where the archives are published")
    add("--keep", action="store_true", help="keep the archives")
    add("--yaml", metavar="FILE", help="also write a data YAML for this folder")
    return flags
