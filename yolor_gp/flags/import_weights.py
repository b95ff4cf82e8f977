"""The flags of `import_weights.py`."""

from __future__ import annotations

from yolor_gp.flags.arguments import Arguments, whole_number


def parser() -> Arguments:
    """Every flag of the command."""
    flags = Arguments(
        "import_weights.py",
        description="Convert weights, official ones, Darknet's or own, to an own file. Nothing in"
        " the checkpoint is run: its network is rebuilt from the model file inside or beside it,"
        " and its tensors are mapped one by one.",
    )
    add = flags.add_argument
    add("source", metavar="IN", help="YOLOv5, YOLOv7, YOLOR, Darknet or own weights")
    add("target", metavar="OUT", nargs="?", help="file to write: .pt or .safetensors")
    add("--cfg", metavar="FILE", help="of Darknet's .weights, if not beside them")
    add("--check", action="store_true",
        help="write nothing, but read every number: whether IN is whole")  # fmt: skip
    add("--img-size", type=whole_number(32), default=640, help="image size it was trained for")
    return flags
