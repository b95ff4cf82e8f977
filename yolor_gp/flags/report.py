"""The flags of `report.py`."""

from __future__ import annotations

from yolor_gp.config.precisions import PRECISIONS
from yolor_gp.flags.arguments import Arguments, add_image_size, one_of, whole_number


def parser() -> Arguments:
    """Every flag of the command."""
    flags = Arguments(
        "report.py",
        description="Evaluates the best weights of runs and writes one HTML page that fetches"
        " nothing: curves, classes, best and worst images, data, provenance; of several runs also"
        " what distinguishes them.",
    )
    add = flags.add_argument
    add("runs", nargs="+", metavar="RUN", help="run folders, or weights (with --data)")
    add("--out", default="report.html", metavar="FILE", help="to write")
    add("--data", help="data YAML or shipped name (none: that of training)")
    add("--split", type=one_of("train", "val", "test"), default="val", help="part of the data")
    add_image_size(flags, "none: that of training")
    add("--batch-size", type=whole_number(1), default=16, help="images at once")
    add("--workers", type=whole_number(0), default=4, help="threads that load images")
    add("--device", default="auto", help="auto, cpu, cuda or a GPU number")
    add("--precision", type=one_of(*PRECISIONS), default="auto", help=", ".join(PRECISIONS))
    return flags
