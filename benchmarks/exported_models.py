"""Every shipped model in other runtimes: the largest differences to PyTorch on real pictures.

    python -m benchmarks.exported_models --data coco.yaml

Fresh weights find nothing, and differences between small numbers are small. So normalisation takes
its statistics from the pictures, as training would leave them, and the biases of the last layers
are raised until scores spread from 0 to 1. Such a network carries rounding further than a trained
one; how far, PyTorch itself shows, in float32 beside float64.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from yolor_gp.config.shipped import shipped_files
from yolor_gp.export.exported import open_exported
from yolor_gp.export.formats import Array, Request, find_format
from yolor_gp.export.graph import ExportGraph, describe
from yolor_gp.export.proof import SURE, Differences, compare, pictures
from yolor_gp.model import load
from yolor_gp.models.heads.anchor_head import AnchorHead, LevelPredictor
from yolor_gp.models.network import DetectionNetwork

CLOSE = 1e-3


def lively(network: DetectionNetwork, images: Sequence[Array]) -> None:
    """Give fresh weights what training would: statistics of real pictures, and some confidence."""
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    for part in norms:
        part.momentum = None  # the average of all that is seen
        part.reset_running_stats()
    network.train()
    with torch.no_grad():
        network(torch.cat([torch.from_numpy(image) for image in images]))
    network.eval()
    head = network.head
    assert isinstance(head, AnchorHead)
    with torch.no_grad():
        for level in head.levels:
            assert isinstance(level, LevelPredictor) and level.conv.bias is not None
            level.conv.bias.view(head.num_anchors, -1)[:, 4 : 5 + head.num_classes] += 4


class InFloat64(nn.Module):
    """A graph that computes in float64 and answers in float32."""

    def __init__(self, graph: ExportGraph) -> None:
        super().__init__()
        self.graph = graph.double()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """As the graph."""
        return tuple(part.float() for part in self.graph(images.double()))


def differences(
    graph: ExportGraph, network: DetectionNetwork, size: int, images: Sequence[Array], form: str
) -> Differences:
    """Of the network written in a format, to itself."""
    found = find_format(form)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"model{found.suffix}")
        found.write(Request(graph, describe(network, size, 1, dynamic=True), path))
        return compare(graph, open_exported(path), images)


def main() -> int:
    """Print a row a model and format; 1 when one `is_far`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", help="shipped names (none: all of cfg/model)")
    parser.add_argument("--data", required=True, help="data YAML, whose validation set is used")
    parser.add_argument("--img", type=int, default=320, help="side of the input")
    parser.add_argument("--pictures", type=int, default=4)
    options = parser.parse_args()
    every = [file.stem for file in shipped_files("model") if file.parent.name == "model"]
    images = list(pictures(options.data, options.img, options.pictures))
    far = False
    print(
        "| model | format | boxes px | scores | masks' logits | boxes compared |\n"
        + "|---" * 6
        + "|"
    )
    for name in options.models or every:
        torch.manual_seed(0)
        network = load(name, device="cpu", precision="float32").network
        lively(network, images)
        sure = sum(_sure(network, image) for image in images)
        graph = ExportGraph(network)
        own = compare(graph, InFloat64(ExportGraph(network)), images)
        print(_row(name, "PyTorch in float64", own, sure), flush=True)
        for form in ("onnx", "openvino"):
            found = differences(graph, network, options.img, images, form)
            far |= any(is_far(*pair) for pair in zip(_figures(found), _figures(own), strict=True))
            print(_row(name, form, found, sure), flush=True)
            gc.collect()
    return int(far)


def is_far(found: float, own: float) -> bool:
    """Whether a difference is more than 0.001, and more than rounding explains."""
    return found > max(CLOSE, 2 * own)


def _figures(found: Differences) -> tuple[float, float, float]:
    return found.boxes, found.scores, found.masks or 0.0


def _row(name: str, form: str, found: Differences, sure: int) -> str:
    boxes, scores, masks = (f"{figure:.1g}" for figure in _figures(found))
    return f"| {name} | {form} | {boxes} | {scores} | {masks} | {sure} |"


def _sure(network: DetectionNetwork, image: Array) -> int:
    with torch.no_grad():
        scores = ExportGraph(network)(torch.from_numpy(image))[1]
    return int((scores.amax(dim=2) > SURE).sum())


if __name__ == "__main__":
    raise SystemExit(main())
