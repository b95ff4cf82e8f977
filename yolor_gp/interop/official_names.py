"""What the parts of our blocks are called in official checkpoints.

Only names are stated here; shapes are compared where tensors are mapped (`official_tensors`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import nn

from yolor_gp.models.blocks.conv import Conv
from yolor_gp.models.blocks.csp import CSPB, CSPStage
from yolor_gp.models.blocks.implicit import ImplicitAdd, ImplicitMultiply
from yolor_gp.models.blocks.official_csp import BottleneckCSP
from yolor_gp.models.blocks.official_simple import Focus
from yolor_gp.models.blocks.pool import SPP, SPPCSPC, SPPF
from yolor_gp.models.blocks.repconv import RepConv
from yolor_gp.models.blocks.residual import Bottleneck, Residual
from yolor_gp.models.network import DetectionNetwork

# The modules of YOLOv5's, YOLOv7's and YOLOR's model files; an official checkpoint names no others.
OFFICIAL_BLOCKS = frozenset({
    "Conv", "DWConv", "Focus", "ReOrg", "RepConv", "Bottleneck", "BottleneckCSP",
    "BottleneckCSPA", "BottleneckCSPB", "BottleneckCSPC", "C3", "SPP", "SPPF", "SPPCSPC", "MP",
    "SP", "Concat", "Shortcut", "nn.Upsample", "ImplicitA", "ImplicitM", "Detect", "IDetect",
    "Segment", "ISegment",
})  # fmt: skip

_PARTS: Mapping[type[nn.Module], Mapping[str, str]] = {
    Conv: {"conv": "conv", "norm": "bn"},
    Focus: {"conv": "conv"},
    RepConv: {
        "dense": "rbr_dense.0",
        "dense_norm": "rbr_dense.1",
        "point": "rbr_1x1.0",
        "point_norm": "rbr_1x1.1",
        "identity_norm": "rbr_identity",
    },
    BottleneckCSP: {
        "enter": "cv1", "bypass": "cv2", "last": "cv3", "first": "cv4", "norm": "bn", "blocks": "m",
    },
    CSPB: {"enter": "cv1", "bypass": "cv2", "join": "cv3", "blocks": "m"},
    SPP: {"reduce": "cv1", "expand": "cv2"},
    SPPF: {"reduce": "cv1", "expand": "cv2"},
    SPPCSPC: {
        "before.0": "cv1", "bypass": "cv2", "before.1": "cv3", "before.2": "cv4", "after.0": "cv5",
        "after.1": "cv6", "join": "cv7",
    },
}  # fmt: skip
_MASK_HEAD = {"0": "cv1", "2": "cv2", "3": "cv3"}
_LEVEL = {"conv": "m", "implicit_add": "ia", "implicit_multiply": "im"}


def official_names(network: DetectionNetwork) -> Iterator[tuple[str, str]]:
    """(own name, official name) of every module of `network` that has a counterpart.

    Yields:
        Each pair of names once.
    """
    for index, layer in enumerate(network.layers):
        yield from _pairs(layer, f"layers.{index}", f"model.{index}")
    head, official = network.anchor_head, f"model.{len(network.layers)}"
    for index, level in enumerate(head.levels):
        for own, part in _LEVEL.items():
            if not isinstance(level.get_submodule(own), nn.Identity):
                yield f"head.levels.{index}.{own}", f"{official}.{part}.{index}"
    if head.mask_head is not None:
        for own, part in _MASK_HEAD.items():
            module = head.mask_head.layers.get_submodule(own)
            yield from _pairs(module, f"head.mask_head.layers.{own}", f"{official}.proto.{part}")


def _pairs(module: nn.Module, own: str, official: str) -> Iterator[tuple[str, str]]:
    yield own, official
    for own_part, official_part in _parts(module).items():
        part: nn.Module | None = module
        for step in own_part.split("."):
            part = getattr(part, step)
        if part is not None and not isinstance(part, nn.Identity):
            yield from _pairs(part, f"{own}.{own_part}", f"{official}.{official_part}")


def _parts(module: nn.Module) -> Mapping[str, str]:
    if isinstance(module, nn.Sequential | nn.ModuleList):
        return {str(index): str(index) for index in range(len(module))}
    if isinstance(module, Bottleneck):
        prefix = "block.block." if isinstance(module.block, Residual) else "block."
        return {f"{prefix}0": "cv1", f"{prefix}1": "cv2"}
    if isinstance(module, CSPStage):  # the transition before the concatenation may be missing
        joined = "cv3" if isinstance(module.last, nn.Identity) else "cv4"
        return {"enter": "cv1", "bypass": "cv2", "last": "cv3", "first": joined, "blocks": "m"}
    for kind, parts in _PARTS.items():
        if isinstance(module, kind):
            return parts
    return {}


def official_tensor(module: nn.Module, tensor: str) -> str:
    """What a module's own tensor is called: ours are called the same, but for implicit ones."""
    return "implicit" if isinstance(module, ImplicitAdd | ImplicitMultiply) else tensor
