"""The flags of `information_flow.py`."""

from __future__ import annotations

from yolor_gp.flags.arguments import Arguments, add_image_size, whole_number


def parser() -> Arguments:
    """Every flag of the command."""
    flags = Arguments(
        "information_flow.py",
        description="Probes every layer of a trained classifier or detector, and says how saturated"
        " it is, how alike layers are, and what part of the image each sees. Interrupted, it goes"
        " on where it was.",
    )
    add = flags.add_argument
    add("weights", help="run folder, .pt, .safetensors, .weights")
    add("--data", required=True, help="of a classifier its folder, of a detector its data YAML")
    add("--against", nargs="+", default=[], metavar="WEIGHTS",
        help="other networks, examined on the same data and laid beside it")  # fmt: skip
    add("--out", default="information-flow", metavar="FOLDER", help="to write")
    add(
        "--images", type=whole_number(10), default=5000, metavar="N", help="of either part, at most"
    )
    add("--pool", type=whole_number(1), default=1, metavar="N",
        help="cells a side that maps are averaged to before they are probed")  # fmt: skip
    add_image_size(flags, "none: that of training")
    add("--gradients", metavar="FILE", help="gradients.json of a training with --log-gradients")
    add("--batch-size", type=whole_number(4), default=0, metavar="N",
        help="images at once (default: 128, fewer above 160 px)")  # fmt: skip
    add("--workers", type=whole_number(0), default=2, help="threads that load images")
    add("--device", default="auto", help="auto, cpu, cuda or a GPU number")
    return flags
