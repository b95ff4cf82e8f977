"""`export_model.py`: weights as a file for another runtime, proven as it is written."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch

from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.detection.inference import check_overlap
from yolor_gp.detection.predict import least_scores
from yolor_gp.detection.validate import validate
from yolor_gp.errors import UserError
from yolor_gp.export.exported import ExportedNetwork, open_exported
from yolor_gp.export.formats import Format, Request, find_format
from yolor_gp.export.graph import Description, ExportGraph, describe
from yolor_gp.export.proof import compare, compare_kept, kept, latencies, pictures
from yolor_gp.export.suppression import Suppression
from yolor_gp.files import check_writable
from yolor_gp.flags.export_model import parser
from yolor_gp.model import Model, load_detector
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.models.plan import check_image_size
from yolor_gp.ops.image_size import ImageSize
from yolor_gp.process.load import busy_words
from yolor_gp.structures.eval_result import EvalResult

CLOSE = 1e-3
"""In float32: pixels of boxes, scores, and logits of masks."""
_PROVEN_WITH = 4
_CALIBRATED_WITH = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Write, compare, and with --data evaluate; 1 when the file falls short."""
    options = parser().parse(arguments)
    found = find_format(options.format)
    _check(options, found)
    model = load_detector(options.weights, device="cpu", cfg=options.cfg)
    size: ImageSize = options.image_size or model.image_size
    check_image_size(size, model.network.max_stride)
    path = _path(options, found)
    check_writable(path)
    graph = ExportGraph(model.network)
    suppression = _suppression(options, model)
    dynamic = found.can_be_dynamic and not options.static
    description = describe(
        model.network, size, options.batch_size, dynamic=dynamic,
        thresholds=model.thresholds, suppression=suppression,
    )  # fmt: skip
    calibration = pictures(options.data, size, _CALIBRATED_WITH)
    found.write(Request(graph, description, path, options.precision, calibration))
    weights = path.with_suffix(".bin")  # OpenVINO's lie beside the graph
    files = [path, weights] if path.suffix == ".xml" else [path]
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    print(f"wrote {path}: {options.precision}, {_input(description)}, {megabytes:.1f} MB")
    if suppression:
        print(f"suppression inside: {suppression}")
    exported = open_exported(path)
    falls_short = _differs(options, graph, exported, size)
    if options.data:
        falls_short |= _loses(options, model, exported, size)
    if falls_short:
        print(f"{path}: is further from the network than allowed")
    return int(falls_short)


def _input(description: Description) -> str:
    if description.is_dynamic:
        return "any batch and size"
    return f"batches of {description.batch} at {description.size} px only"


def _suppression(options: argparse.Namespace, model: Model) -> Suppression | None:
    if not options.nms:
        return None
    confidence = options.confidence
    if confidence is None:
        confidence = min(least_scores(None, model.thresholds, model.names))
    return Suppression(confidence, options.iou or 0.45, options.max_detections or 300)


def _differs(
    options: argparse.Namespace, graph: ExportGraph, exported: ExportedNetwork, size: ImageSize
) -> bool:
    """Compare outputs and time; whether a float32 file is off."""
    images = list(pictures(options.data, size, _PROVEN_WITH))
    given = torch.from_numpy(images[0])
    fixed = exported.description.suppression
    if fixed:
        differences = compare_kept(graph.network, exported, images, fixed.config)
        ours, theirs = latencies(
            lambda: kept(graph.network, given, fixed.config), lambda: exported(given)
        )
    else:
        differences = compare(graph, exported, images)
        ours, theirs = latencies(lambda: graph(given), lambda: exported(given))
    print(f"largest differences on {len(images)} pictures: {differences}")
    times = f"PyTorch {ours:.1f} ms, {options.format} {theirs:.1f} ms{busy_words()}"
    print(f"one picture at {size} px: {times}")
    is_far = differences.largest > CLOSE or differences.lost > 0
    return options.precision == "float32" and is_far


def _loses(
    options: argparse.Namespace, model: Model, exported: ExportedNetwork, size: ImageSize
) -> bool:
    """Evaluate both; whether the file loses more than --bound."""
    bound = options.bound or (0.01 if options.precision == "int8" else 0.005)
    fixed = exported.description.suppression
    config = fixed.config if fixed else ValidationConfig()
    ours, theirs = (
        validate(
            network, options.data, config, image_size=size, batch_size=16, workers=0,
            backend="hotcoco", precision=model.precision, device=torch.device("cpu"),
            source=options.weights,
        ).result
        for network in (model.network, cast(DetectionNetwork, exported))
    )  # fmt: skip
    print(_table(ours, theirs, options.format))
    lost = ours.score - theirs.score
    if lost > bound:
        print(f"{lost:.4f} of mean AP is lost, more than {bound:g} (--bound)")
    return lost > bound


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
    if options.nms and not found.can_suppress:
        raise UserError(f"--nms: {found.name} cannot hold suppression; onnx and openvino can")
    for flag in ("confidence", "iou", "max_detections"):
        if getattr(options, flag) is not None and not options.nms:
            raise UserError(f"--{flag.replace('_', '-')}: needs --nms, which uses it in the graph")
    if options.iou is not None:
        check_overlap(options.iou, "0.4 to 0.7")
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
