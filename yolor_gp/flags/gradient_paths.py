"""The flags of `gradient_paths.py`."""

from __future__ import annotations

from pathlib import Path

from yolor_gp.flags.arguments import Arguments


def parser() -> Arguments:
    """Every flag of the command."""
    flags = Arguments(
        "gradient_paths.py",
        description="Lengths, counts, timestamps and sources of gradient paths, by the definitions"
        " in docs/gradient-paths.md.",
    )
    add = flags.add_argument
    add(
        "networks",
        nargs="*",
        metavar="NETWORK",
        help="a model file, a shipped name (yolor-csp), or torchvision:resnet50 and the like",
    )
    add("--layer", metavar="NAME", help="print one layer: its paths and sources by timestamp")
    add("--json", type=Path, metavar="F", help="write everything as JSON")
    add("--html", type=Path, metavar="F", help="write a page to look at, complete in one file")
    add(
        "--figures",
        action="store_true",
        help="small ResNet, PRN, DenseNet and SparseNet; with --html drawn as in Figs. 7 and 8",
    )
    add("--table1", action="store_true", help="measure growth with depth, as in Table 1")
    add(
        "--stacking",
        action="store_true",
        help="the longest shortest path of VoVNet and ELAN stages as they are stacked deeper",
    )
    add(
        "--compare-ap",
        action="store_true",
        help="path statistics beside published AP (all of the paper's rows unless named)",
    )
    add(
        "--gradients",
        type=Path,
        metavar="F",
        help="what a training with --log-gradients wrote, laid beside the static picture",
    )
    return flags
