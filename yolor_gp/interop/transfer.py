"""Weights of one network carried to another, for fine-tuning: what fits is copied, the rest told.

The decoder's outputs depend on the classes. Where their number or order differs, the rows of boxes,
objectness and mask coefficients are kept, and those of classes both networks know by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.interop.wiring import WiringReport, carried_along_wiring
from yolor_gp.models.heads.anchor_head import AnchorHead
from yolor_gp.models.heads.classifier import Classifier
from yolor_gp.models.network import ClassifierNetwork, DetectionNetwork, Trunk

Network = DetectionNetwork | ClassifierNetwork


@dataclass(frozen=True)
class TransferReport:
    """What became of every tensor, by name.

    copied: as a whole; partly: decoder tensors, with the rows kept; left_out: given, but of
    another shape or unknown to the network, with the reason; fresh: the network's own, not given;
    wanted: how many tensors the network has; wiring: what was found along it, where names did not
    count; backbone: in words, what was taken of a classifier.
    """

    copied: tuple[str, ...]
    partly: Mapping[str, str]
    left_out: Mapping[str, str]
    fresh: tuple[str, ...]
    wanted: int
    wiring: WiringReport | None = None
    backbone: str | None = None

    @property
    def summary(self) -> str:
        """One line: "340 of 366 tensors, 6 in part (kept boxes ... and 3 of 10 classes, ...)"."""
        text = f"{len(self.copied)} of {self.wanted} tensors"
        if self.partly:
            text += f", {len(self.partly)} in part ({next(iter(self.partly.values()))})"
        found = self.backbone if self.wiring is None else self.wiring.summary
        return text if found is None else f"{found} ({text})"

    def __str__(self) -> str:
        lines = [] if self.wiring is None else str(self.wiring).splitlines()
        lines += [f"{len(self.copied)} tensors copied"]
        lines += [f"{name}: {kept}" for name, kept in self.partly.items()]
        lines += [f"{name}: left out, {reason}" for name, reason in self.left_out.items()]
        lines += [f"{name}: not given, starts fresh" for name in self.fresh]
        return "\n".join(lines)


def transfer_backbone(
    state_dict: Mapping[str, Tensor], source: ModelSpec, network: DetectionNetwork
) -> TransferReport:
    """Copy the layers of a classifier that stand at the same place in the detector's backbone.

    source: the classifier's model file. A layer is taken as a whole or not at all: where both files
    have the same block, and all of its tensors have the same shapes.
    """
    own = network.state_dict()
    taken: dict[str, Tensor] = {}
    count, fresh = 0, []
    blocks = {layer.index: layer.block for layer in source.layers[:-1]}
    for layer in network.spec.layers:
        prefix = f"layers.{layer.index}."
        mine = {name: t.shape for name, t in own.items() if name.startswith(prefix)}
        if layer.section != "backbone" or not mine:
            continue
        given = {name: t for name, t in state_dict.items() if name.startswith(prefix)}
        same = {name: tensor.shape for name, tensor in given.items()} == mine
        if same and blocks.get(layer.index) == layer.block:
            taken |= given
            count += 1
        else:
            fresh.append(f"{layer.index} ({layer.block})")
    words = f"{count} of {count + len(fresh)} layers of the backbone from a classifier"
    if fresh:
        words += f", not {', '.join(fresh)}"
    return replace(transfer(taken, network), backbone=words)


@torch.no_grad()
def transfer_along_wiring(
    state_dict: Mapping[str, Tensor],
    source: Trunk,
    network: DetectionNetwork,
    source_names: Sequence[str] | None = None,
) -> TransferReport:
    """As `transfer`, of the tensors of `source`, whose layers are wired alike and called otherwise.

    Implicit constants of the levels that are carried become neutral.
    """
    carried, report = carried_along_wiring(state_dict, source, network)
    own = network.state_dict()
    for name in carried:
        level = name.removesuffix("conv.bias")
        if level == name or not name.startswith("head.levels."):
            continue
        for part, value in (("implicit_add", 0.0), ("implicit_multiply", 1.0)):
            if f"{level}{part}.value" in own:
                own[f"{level}{part}.value"].fill_(value)
    return replace(transfer(carried, network, source_names), wiring=report)


@dataclass(frozen=True)
class _Decoder:
    """How the rows of a decoder's output are arranged: A times (5, classes, coefficients)."""

    anchors: int
    names: tuple[str, ...]
    coefficients: int

    def rows(self, tensor: Tensor) -> Tensor:
        """[.., A * (5 + C + K), ..] as [A, 5 + C + K, ..]; a multiplier has them second."""
        flat = tensor.squeeze(0) if tensor.shape[0] == 1 else tensor
        return flat.reshape(self.anchors, 5 + len(self.names) + self.coefficients, *flat.shape[1:])


@torch.no_grad()
def transfer(
    state_dict: Mapping[str, Tensor],
    network: Network,
    source_names: Sequence[str] | None = None,
) -> TransferReport:
    """Copy into `network` what fits of `state_dict`, weights of any network of this package.

    source_names: the classes `state_dict` was trained for; without them, decoder tensors are
    copied only where their shapes are equal. Nothing is raised when nothing fits: see the report.
    """
    own = network.state_dict()
    copied: list[str] = []
    partly: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for name, given in state_dict.items():
        target = own.get(name)
        if target is None:
            left_out[name] = "the network has no such tensor"
        elif name in _decoder_tensors(network) and _must_match(
            given, target, network, source_names
        ):
            kept = _copy_rows(given, target, network, source_names or ())
            if kept is None:
                left_out[name] = _shapes(given, target)
            else:
                partly[name] = kept
        elif given.shape != target.shape:
            left_out[name] = _shapes(given, target)
        else:
            target.copy_(given)
            copied.append(name)
    fresh = tuple(name for name in own if name not in state_dict)
    return TransferReport(tuple(copied), partly, left_out, fresh, len(own))


def _decoder_tensors(network: Network) -> set[str]:
    """Tensors with rows for each anchor and class; none in a head of another kind."""
    if isinstance(network.head, Classifier):
        return {"head.conv.weight", "head.conv.bias"}
    if not isinstance(network.head, AnchorHead):
        return set()
    parts = ("conv.weight", "conv.bias", "implicit_multiply.value")
    levels = range(len(network.head.levels))
    return {f"head.levels.{index}.{part}" for index in levels for part in parts}


def _must_match(
    given: Tensor, target: Tensor, network: Network, names: Sequence[str] | None
) -> bool:
    """Whether rows are copied by name: other classes, or the same ones in another order.

    Where the shapes are equal and no class is known by name, the whole is copied, as is usual.
    """
    if given.shape != target.shape:
        return True
    return names is not None and tuple(names) != network.names and bool(
        set(names) & set(network.names)
    )  # fmt: skip


def _copy_rows(given: Tensor, target: Tensor, network: Network, names: Sequence[str]) -> str | None:
    """Copy the rows that mean the same; what was kept, or None when the tensors do not compare."""
    head = network.head
    shared = list(_shared_classes(names, network.names))
    if isinstance(head, Classifier):
        if not shared or given.shape[1:] != target.shape[1:] or given.shape[0] != len(names):
            return None
        for there, here in shared:
            target[here] = given[there]
        return f"kept {len(shared)} of {len(network.names)} classes, known by name"
    assert isinstance(head, AnchorHead)
    outputs = max(given.shape[:2]) if given.shape[0] == 1 else given.shape[0]
    coefficients = outputs // head.num_anchors - 5 - len(names)
    other_axes = [
        list(tensor.shape[1:]) if tensor.shape[0] != 1 else list(tensor.shape[2:])
        for tensor in (given, target)
    ]
    if not names or coefficients < 0 or outputs % head.num_anchors:
        return None
    if other_axes[0] != other_axes[1]:
        return None
    source = _Decoder(head.num_anchors, tuple(names), coefficients).rows(given)
    own = _Decoder(head.num_anchors, network.names, head.num_masks).rows(target)
    own[:, :5] = source[:, :5]
    kept = "boxes, objectness"
    if coefficients == head.num_masks and coefficients:
        own[:, -coefficients:] = source[:, -coefficients:]
        kept += ", mask coefficients"
    for there, here in shared:
        own[:, 5 + here] = source[:, 5 + there]
    return f"kept {kept} and {len(shared)} of {len(network.names)} classes, known by name"


def _shared_classes(source: Sequence[str], target: Sequence[str]) -> Iterator[tuple[int, int]]:
    places = {name: index for index, name in enumerate(source)}
    for here, name in enumerate(target):
        if name in places:
            yield places[name], here


def _shapes(given: Tensor, target: Tensor) -> str:
    return f"its shape is {list(given.shape)}, the network's {list(target.shape)}"
