"""What the figures say to whoever designs the network, and how sure that is.

Three questions [FLOW]: do the layers behind the border layer add anything; does one of several
pathways do the work; which layers use few of their directions. Of a classifier whose layers stand
in a row the unproductive end can be left out, as a model file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.errors import UserError
from yolor_gp.information_flow.flow_results import FlowResult, LayerFlow, block_of
from yolor_gp.models.summary import summarize

_SURE = 2.0  # standard errors
_DOMINATES = 2.0  # times as much
_IDLE = 0.1


@dataclass(frozen=True)
class Shorter:
    """A network without its unproductive end.

    Attributes:
        spec: The model file.
        left_out: Layers of the model file.
        params: Before and after, in all.
        gflops: Before and after, at the size of the images.
    """

    spec: ModelSpec
    left_out: int
    params: tuple[int, int]
    gflops: tuple[float, float]

    def __str__(self) -> str:
        before, after = self.params
        return (
            f"without its last {self.left_out} layers of the backbone: {before / 1e6:.2f} M"
            f" parameters become {after / 1e6:.2f} M, {self.gflops[0]:.3f} GFLOPs"
            f" {self.gflops[1]:.3f}"
        )


def advice(result: FlowResult) -> list[str]:
    """A line for each answer, with how sure it is; nothing where nothing stands out."""
    lines = [_border(result), _pathways(result), _idle(result)]
    return [line for line in lines if line]


def shortened(result: FlowResult, spec: ModelSpec, size: int) -> Shorter | None:
    """The model without its unproductive end; None where it has none.

    What is left out is behind the border, and its probes are not above those before it by more than
    chance. Only of networks whose layers stand in a row.
    """
    body = [layer for layer in spec.layers if layer.section == "backbone"]
    if any(layer.sources != (-1,) for layer in spec.layers):
        return None
    last_needed = _last_needed(result)
    kept = [layer for layer in body if layer.index <= last_needed]
    if not kept or len(kept) == len(body):
        return None
    head = [layer for layer in spec.layers if layer.section != "backbone"]
    layers = tuple(replace(layer, index=k) for k, layer in enumerate([*kept, *head]))
    shorter = replace(spec, layers=layers)
    try:
        before, after = summarize(spec, size), summarize(shorter, size)
    except UserError:  # the rest does not fit together
        return None
    return Shorter(
        shorter, len(body) - len(kept), (before.params, after.params),
        (before.gflops, after.gflops),
    )  # fmt: skip


def _last_needed(result: FlowResult) -> int:
    """The last layer of the model file that sees something new, or the first as good as any."""
    body = [(k, layer) for layer in result.layers if (k := _index(layer.name)) is not None]
    peak = max((layer.probe for _, layer in body), default=0.0)
    seeing = [k for k, layer in body if not layer.is_beyond]
    as_good = [
        k
        for k, layer in body
        if layer.probe >= peak - _SURE * _error(peak, layer.probe, result.samples)
    ]
    return max([-1, *seeing, *as_good[:1]])


def _border(result: FlowResult) -> str:
    border = result.border
    if border is None or border is result.layers[0]:
        return ""
    place = result.layers.index(border)
    before = max(layer.probe for layer in result.layers[:place])
    behind = max(layer.probe for layer in result.layers[place:])
    gain, error = behind - before, _error(before, behind, result.samples)
    head = (
        f"{len(result.layers) - place} of {len(result.layers)} layers stand behind the border"
        f" ({border.name}): the best probe there is {100 * gain:+.1f} points from the best before"
        f" it (standard error {100 * error:.1f})"
    )
    if gain <= 0 or gain < _SURE * error:
        return f"{head}; they add nothing that could be told from chance: candidates to leave out"
    return f"{head}; they do add something, though no context"


def _pathways(result: FlowResult) -> str:
    """Where pathways last join: what each brings, and how large its gradients were."""
    blocks: dict[str, dict[str, list[LayerFlow]]] = {}
    for layer in result.layers:
        if layer.pathway:
            blocks.setdefault(block_of(layer.name), {}).setdefault(layer.pathway, []).append(layer)
    joined = [(name, paths) for name, paths in blocks.items() if len(paths) > 1]
    if not joined:
        return ""
    name, paths = joined[-1]
    ends = {path: layers[-1] for path, layers in paths.items()}
    best = max(ends, key=lambda path: _share(ends[path]))
    parts = [_brings(path, ends[path], paths[path]) for path in sorted(paths)]
    dominated = [
        path for path in ends if _share(ends[best]) > _DOMINATES * max(_share(ends[path]), 0.01)
    ]
    verdict = f"pathway {best} dominates {', '.join(dominated)}" if dominated else "none dominates"
    return f"where pathways last join ({name}): {'; '.join(parts)}: {verdict}"


def _share(layer: LayerFlow) -> float:
    """How much of the output a layer is like; of a detector, how much it knows."""
    return layer.probe if layer.cka_output is None else layer.cka_output


def _brings(path: str, end: LayerFlow, layers: Sequence[LayerFlow]) -> str:
    gradient = _mean_gradient(layers)
    parts = [f"probe {100 * end.probe:.1f}%"]
    if end.cka_output is not None:
        parts.append(f"CKA to the output {end.cka_output:.2f}")
    if gradient is not None:
        parts.append(f"mean gradient {gradient:.1e}")
    return f"pathway {path} brings {', '.join(parts)}"


def _idle(result: FlowResult) -> str:
    idle = [layer.name for layer in result.layers if layer.saturation < _IDLE]
    if not idle:
        return ""
    shown = ", ".join(idle[:5]) + (", ..." if len(idle) > 5 else "")
    return (
        f"{len(idle)} layers use less than {100 * _IDLE:.0f}% of their directions ({shown}): they"
        " may be narrower than they are; a hint, not a measurement of what that costs"
    )


def _error(first: float, second: float, samples: int) -> float:
    """Standard error of a difference of two shares; an upper bound, as both are of one set."""
    return math.sqrt((first * (1 - first) + second * (1 - second)) / max(samples, 1))


def _mean_gradient(layers: Sequence[LayerFlow]) -> float | None:
    known = [layer.gradient for layer in layers if layer.gradient is not None]
    return fmean(known) if known else None


def _index(name: str) -> int | None:
    """Of a module's layer in the model file: `layers.7.conv` -> 7."""
    parts = name.split(".")
    return int(parts[1]) if parts[0] == "layers" and len(parts) > 1 else None
