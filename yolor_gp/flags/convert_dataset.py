"""The flags of `convert_dataset.py`."""

from __future__ import annotations

from yolor_gp.data.convert.formats import FORMATS
from yolor_gp.flags.arguments import Arguments, one_of, whole_number


def parser() -> Arguments:
    """Every flag of the command."""
    flags = Arguments(
        "convert_dataset.py",
        description="A data set in another format, divided anew if asked for. Reads every format"
        " that training reads (COCO JSON, YOLO txt, Pascal VOC, LabelMe, plugins'); writes coco,"
        " yolo, voc or labelme, with a data.yaml to train from. Pictures are linked, or copied.",
    )
    add = flags.add_argument
    add("data", help="data YAML, shipped name, or a folder as a labelling tool exports it")
    add("--to", required=True, type=one_of(*FORMATS), help=", ".join(FORMATS))
    add("--out", required=True, metavar="FOLDER", help="a new or empty folder")
    add("--split", metavar="80/10/10", help="pool all images, and divide them for train/val[/test]")
    add("--folds", type=whole_number(2), metavar="K", help="K data YAMLs for cross-validation")
    add("--seed", type=whole_number(0), default=0, help="of the division")
    return flags
