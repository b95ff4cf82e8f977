"""The flags of `check_dataset.py`."""

from __future__ import annotations

from yolor_gp.flags.arguments import Arguments, whole_number


def parser() -> Arguments:
    """Every flag of the command."""
    flags = Arguments(
        "check_dataset.py", description="What is wrong with a data set, with place and remedy."
    )
    add = flags.add_argument
    add("data", help="data YAML, shipped name, a tool's export, or images in folders of classes")
    add("--json", metavar="FILE", help="also write every finding and the counts as JSON")
    add("--picture", metavar="FILE.png", help="also draw class and size histograms, one per split")
    add("--most", type=whole_number(1), default=5, help="findings shown of each kind")
    add("--cfg", metavar="MODEL", help="also say how well this model's anchors reach the boxes")
    add("--img", type=whole_number(32), default=640, help="at this side of the input, in pixels")
    add("--no-cache", action="store_true", help="examine again even if nothing has changed")
    return flags
