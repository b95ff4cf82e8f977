"""`export_model.py`: weights as a file for another runtime, proven as it is written."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from yolor_gp.commands.arguments import Arguments, fraction, image_size, whole_number
from yolor_gp.errors import UserError
from yolor_gp.export.exported import open_exported
from yolor_gp.export.formats import Format, Request, find_format
from yolor_gp.export.graph import ExportGraph, describe
from yolor_gp.export.proof import Differences, compare, latencies, pictures
from yolor_gp.files import check_writable
from yolor_gp.model import Model, load
from yolor_gp.models.plan import check_image_size
from yolor_gp.ops.image_size import ImageSize
from yolor_gp.structures.eval_result import EvalResult

CLOSE = 1e-3
"""In float32: pixels of boxes, scores, and logits of masks."""
_PROVEN_WITH = 4
_CALIBRATED_WITH = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Write, compare, and with --data evaluate; 1 when the file falls short."""
    options = _parser().parse(arguments)
    found = find_format(options.format)
    _check(options, found)
    model = load(options.weights, device="cpu", cfg=options.cfg)
    size: ImageSize = options.image_size or model.image_size
    check_image_size(size, model.network.max_stride)
    path = _path(options, found)
    check_writable(path)
    graph = ExportGraph(model.network)
    description = describe(model.network, size, options.batch_size, dynamic=not options.static)
    calibration = pictures(options.data, size, _CALIBRATED_WITH)
    found.write(Request(graph, description, path, options.precision, calibration))
    weights = path.with_suffix(".bin")  # OpenVINO's lie beside the graph
    files = [path, weights] if path.suffix == ".xml" else [path]
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    print(f"wrote {path}: {options.precision}, {megabytes:.1f} MB")
    return _prove(options, model, graph, path, size)


def _prove(
    options: argparse.Namespace, model: Model, graph: ExportGraph, path: Path, size: ImageSize
) -> int:
    bound = options.bound or (0.01 if options.precision == "int8" else 0.005)
    exported = open_exported(path)
    images = list(pictures(options.data, size, _PROVEN_WITH))
    differences = compare(graph, exported, images)
    print(f"largest differences on {len(images)} pictures: {differences}")
    ours, theirs = latencies(graph, exported, images[0])
    print(f"one picture at {size} px: PyTorch {ours:.1f} ms, {options.format} {theirs:.1f} ms")
    falls_short = options.precision == "float32" and _is_far(differences)
    if options.data:
        first = model.val(options.data, img=size, workers=0)
        second = load(path).val(options.data, img=size, workers=0)
        print(_table(first, second, options.format))
        falls_short |= first.score - second.score > bound
    if falls_short:
        print(f"{path}: is further from the network than allowed (--bound {bound:g})")
    return int(falls_short)


def _is_far(found: Differences) -> bool:
    return max(found.boxes, found.scores, found.masks or 0.0) > CLOSE


def _table(first: EvalResult, second: EvalResult, name: str) -> str:
    lines = [f"{'':<10}" + "".join(f"{part + ' ' + key:>12}" for part in first.parts
                                   for key in ("AP", "AP50", "AP75"))]  # fmt: skip
    for title, result in (("PyTorch", first), (name, second)):
        figures = [part[key] for part in result.parts.values() for key in ("AP", "AP50", "AP75")]
        lines.append(f"{title:<10}" + "".join(f"{value:>12.4f}" for value in figures))
    return "\n".join(lines)


def _check(options: argparse.Namespace, found: Format) -> None:
    if options.precision not in found.precisions:
        raise UserError(
            f"--precision {options.precision}: {found.name} can be written in"
            f" {', '.join(found.precisions)}"
        )
    if options.precision == "int8" and not options.data:
        raise UserError("--precision int8: needs --data, whose pictures it is calibrated with")


def _path(options: argparse.Namespace, found: Format) -> Path:
    if options.out:
        if not options.out.endswith(found.suffix):
            raise UserError(f"--out {options.out}: files of {found.name} end in {found.suffix}")
        return Path(options.out)
    weights = Path(options.weights)
    stem = weights / "weights" / "best" if weights.is_dir() else weights.with_suffix("")
    ending = "" if options.precision == "float32" else f"-{options.precision}"
    return stem.with_name(f"{stem.name}{ending}{found.suffix}")


def _parser() -> Arguments:
    parser = Arguments(
        prog="export_model.py",
        description="Writes weights for another runtime, folded and with decoding inside, and"
        " compares what it wrote with PyTorch.",
    )
    add = parser.add_argument
    add("weights", help="run folder, .pt, .safetensors, .weights")
    add("--cfg", metavar="FILE", help="of Darknet's .weights, where it is not beside them")
    add("--format", default="onnx", help="onnx, openvino, or a plugin's")
    add("--out", metavar="FILE", help="to write (none: beside the weights)")
    add("--precision", default="float32", help="float32; onnx: int8; openvino: float16")
    add("--img", dest="image_size", type=image_size, metavar="SIZE",
        help="side of the input, or WIDTHxHEIGHT (none: that of training)")  # fmt: skip
    add("--static", action="store_true", help="fix batch and sides of the input")
    add("--batch-size", type=whole_number(1), default=1, help="images at once, with --static")
    add("--data", help="data YAML: compare AP on its validation images, and calibrate int8")
    add("--bound", type=fraction, metavar="AP",
        help="largest loss of mean AP, else exit code 1 (none: 0.005, int8: 0.01)")  # fmt: skip
    return parser
