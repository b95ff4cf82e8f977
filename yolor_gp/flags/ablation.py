"""The flags of `ablation.py`."""

from __future__ import annotations

from yolor_gp.flags.arguments import Arguments, whole_number


def parser() -> Arguments:
    """Every flag of the command."""
    flags = Arguments(
        "ablation.py",
        description="Trains every row of a table, validates all alike and lays the table out. Any"
        " number of these may work on one --project; what is finished is skipped, what was"
        " interrupted is resumed.",
    )
    add = flags.add_argument
    add("table", nargs="?", help="cfg/ablation/*.yaml, or a shipped name (table6)")
    add("--data", help="data YAML or shipped name; of classifiers the folder")
    add("--report", metavar="FOLDER", help="train nothing, lay out what the folder holds")
    add("--project", default="runs/ablation", help="where the folders of tables are")
    add("--name", help="of the table's folder (none: that of the table)")
    add("--rows", nargs="+", metavar="ROW", help="only these, by name (none: all)")
    add("--seeds", nargs="+", type=whole_number(0), metavar="N", help="only these (none: all)")
    add("--nproc-per-node", type=whole_number(1), default=1, metavar="N", help="GPUs of a row")
    add("--hyp", help="recipe (none: the table's; of a proxy: auto)")
    add("--epochs", type=whole_number(1), metavar="N", help="(none: the recipe's)")
    add("--img", type=whole_number(32), metavar="N", help="side of the input (none: the table's)")
    add("--batch-size", type=whole_number(1), metavar="N", help="(none: the table's)")
    add("--device", default="auto", help="auto, cpu, cuda or a GPU number")
    add("--workers", type=whole_number(0), default=4, help="loader processes of a row")
    add("--stale", type=float, default=60.0, metavar="SECONDS",
        help="silence after which another runner counts as dead")  # fmt: skip
    add("--no-wait", action="store_true",
        help="end when the rest is in others' hands, instead of watching over them")  # fmt: skip
    add("--proxy", action="store_true", help="narrow the rows to fit a small machine")
    add("--time", help="of all rows and seeds of a proxy together: 2h")
    add("--width", type=float, default=0.25, help="width multiple of a proxy")
    add("--depth", type=float, default=0.33, help="depth multiple of a proxy")
    return flags
