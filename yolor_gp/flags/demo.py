"""The flags of `demo.py`."""

from __future__ import annotations

from yolor_gp.flags.arguments import Arguments


def parser() -> Arguments:
    """Every flag of the command."""
    flags = Arguments(
        "demo.py",
        description="Train on the built-in data set, evaluate, draw: what `make demo` runs.",
    )
    add = flags.add_argument
    add("--cfg", default="yolor-elan-n", help="model file or shipped name")
    add("--hyp", default="demo", help="recipe or shipped name")
    add("--img", default="256", help="side of the input, pixels")
    add("--epochs", help="fewer epochs than the recipe's")
    add("--project", default="runs/demo", help="folder of all runs")
    return flags
