"""Milliseconds of one picture through exported files, anybody's, and through PyTorch.

    taskset -c 0 python -m benchmarks.exported_latency best.onnx best.xml other.onnx \
        --weights best.pt --data coco.yaml --img 640

All run in one process on one thread, in turns, so that whatever else the machine does is shared by
all. Medians of time and of processor time are printed; the latter is what to compare where the
machine was busy. Files are opened by their runtimes alone, with a fixed input of `--img`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import openvino
import torch

from yolor_gp.engine.precision import choose_detection_precision
from yolor_gp.export.formats import Array
from yolor_gp.export.graph import ExportGraph
from yolor_gp.export.proof import pictures
from yolor_gp.model import load
from yolor_gp.models.network import DetectionNetwork

Work = Callable[[Array], object]


def of_onnx(path: Path) -> Work:
    """A file in ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda picture: session.run(None, {name: picture})


def of_openvino(path: Path, precision: str) -> Work:
    """A file in OpenVINO, which computes what is not int8 in `precision` (f32, bf16)."""
    compiled = openvino.Core().compile_model(
        path, "CPU",
        {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": precision},
    )  # fmt: skip
    return lambda picture: compiled(picture)


def of_torch(network: DetectionNetwork, precision: str) -> Work:
    """The folded network in PyTorch, with decoding."""
    graph, chosen = ExportGraph(network), choose_detection_precision(precision, torch.device("cpu"))
    chosen.prepare(graph.network)

    @torch.no_grad()
    def run(picture: Array) -> object:
        with chosen.autocast():
            return graph(torch.from_numpy(picture))

    return run


def works(options: argparse.Namespace) -> dict[str, Work]:
    """All contenders by name."""
    found: dict[str, Work] = {}
    if options.weights:
        network = load(options.weights, device="cpu").network
        for precision in ("float32", "bfloat16"):
            found[f"{options.weights} in PyTorch, {precision}"] = of_torch(network, precision)
    for file in map(Path, options.files):
        if file.suffix == ".onnx":
            found[f"{file} in ONNX Runtime"] = of_onnx(file)
        else:
            for precision in ("f32", "bf16"):
                found[f"{file} in OpenVINO, {precision}"] = of_openvino(file, precision)
    return found


def main() -> None:
    """Print a row each, the quickest first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help=".onnx and .xml")
    parser.add_argument("--weights", help="for PyTorch")
    parser.add_argument("--data", help="data YAML, for a picture (none: a drawn one)")
    parser.add_argument("--img", type=int, default=640)
    parser.add_argument("--repeats", type=int, default=50)
    options = parser.parse_args()
    torch.set_num_threads(1)
    picture = np.ascontiguousarray(next(pictures(options.data, options.img, 1)))
    contenders = works(options)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for repeat in range(options.repeats + 3):
        for name, work in contenders.items():
            began, used = time.perf_counter(), time.process_time()
            work(picture)
            if repeat >= 3:
                taken[name].append((time.perf_counter() - began, time.process_time() - used))
    print("| | ms | ms of processor time |\n|---|---|---|")
    rows = {
        name: [1000 * statistics.median(column) for column in zip(*times, strict=True)]
        for name, times in taken.items()
    }
    for name, (wall, processor) in sorted(rows.items(), key=lambda row: row[1][1]):
        print(f"| {name} | {wall:.1f} | {processor:.1f} |")


if __name__ == "__main__":
    main()
