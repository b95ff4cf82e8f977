"""The flags of `summarize_model.py`."""

from __future__ import annotations

from yolor_gp.flags.arguments import Arguments, whole_number


def parser() -> Arguments:
    """Every flag of the command."""
    flags = Arguments(
        "summarize_model.py",
        description="Layers, parameters and FLOPs of model files, without weights. GFLOPs stand in"
        " the convention of the paper's tables (2 x multiply-adds of the convolutions, and 2 per"
        " element of nearest upsampling) and in that of torch's counter (convolutions only).",
    )
    add = flags.add_argument
    add("models", nargs="*", help="model files, by path or shipped name")
    add("--size", type=whole_number(32), help="side of the image, px; 640, classifiers 256")
    add("--classes", type=whole_number(1), help="number of classes in place of the file's")
    add("--paper", action="store_true", help="every row of the paper's tables beside its figures")
    add("--list", action="store_true", help="the names of all shipped models, by folder")
    add("--receptive-field", action="store_true",
        help="what part of the image every layer sees; also of torchvision:NAME")  # fmt: skip
    add("--json", metavar="FILE", help="also write the figures; params are counts, not millions")
    return flags
