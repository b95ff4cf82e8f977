"""The flags of `export_model.py`."""

from __future__ import annotations

from yolor_gp.flags.arguments import Arguments, fraction, image_size, whole_number


def parser() -> Arguments:
    """Every flag of the command."""
    flags = Arguments(
        "export_model.py",
        description="Writes weights for another runtime, folded and with decoding inside, and"
        " compares what it wrote with PyTorch.",
    )
    add = flags.add_argument
    add("weights", help="run folder, .pt, .safetensors, .weights")
    add("--cfg", metavar="FILE", help="of Darknet's .weights, where it is not beside them")
    add("--format", default="onnx", help="onnx, openvino, executorch, or a plugin's")
    add("--out", metavar="FILE", help="to write (none: beside the weights)")
    add("--precision", default="float32", help="float32; float16, int8")
    add("--img", dest="image_size", type=image_size, metavar="SIZE",
        help="side of the input, or WIDTHxHEIGHT (none: that of training)")  # fmt: skip
    add("--static", action="store_true", help="fix batch and sides of the input")
    add("--batch-size", type=whole_number(1), default=1, help="images at once, if fixed")
    add("--nms", action="store_true", help="suppress overlaps and draw masks inside the graph")
    add("--confidence", type=fraction, help="of --nms: least score kept (none: as detect.py)")
    add("--iou", type=fraction, help="of --nms: overlap above which a box goes (none: 0.45)")
    add("--max-detections", type=whole_number(1), help="of --nms: most an image (none: 300)")
    add("--data", help="data YAML: compare AP on its validation images, and calibrate int8")
    add("--bound", type=fraction, metavar="AP",
        help="largest loss of mean AP, else exit code 1 (none: 0.005, int8: 0.01)")  # fmt: skip
    return flags
