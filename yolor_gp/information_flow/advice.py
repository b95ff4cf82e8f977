"""What the figures say to whoever designs the network, and how sure that is.

Three questions [FLOW]: do the layers behind the border layer add anything; does one of several
pathways do the work; which layers use few of their directions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from yolor_gp.information_flow.flow_results import FlowResult, LayerFlow, block_of

SURE = 2.0  # standard errors
_DOMINATES = 2.0  # times as much
_IDLE = 0.1


def advice(result: FlowResult) -> list[str]:
    """A line for each answer, with how sure it is; nothing where nothing stands out."""
    lines = [_border(result), _pathways(result), _idle(result)]
    return [line for line in lines if line]


def _border(result: FlowResult) -> str:
    border = result.border
    if border is None or border is result.layers[0]:
        return ""
    place = result.layers.index(border)
    before = max(layer.probe for layer in result.layers[:place])
    behind = max(layer.probe for layer in result.layers[place:])
    gain, error = behind - before, standard_error(before, behind, result.samples)
    head = (
        f"{len(result.layers) - place} of {len(result.layers)} layers stand behind the border"
        f" ({border.name}): the best probe there is {100 * gain:+.1f} points from the best before"
        f" it (standard error {100 * error:.1f})"
    )
    if gain <= 0 or gain < SURE * error:
        return f"{head}; they add nothing that could be told from chance: candidates to leave out"
    return f"{head}; they do add something, though no context"


def _pathways(result: FlowResult) -> str:
    """Where pathways last join: what each brings, and how large its gradients were."""
    joined = joins(result)
    if not joined:
        return ""
    name, paths = list(joined.items())[-1]
    parts = [_brings(path, paths[path]) for path in sorted(paths)]
    best, weak = dominated(paths)
    verdict = f"pathway {best} dominates {', '.join(weak)}" if weak else "none dominates"
    return f"where pathways last join ({name}): {'; '.join(parts)}: {verdict}"


def joins(result: FlowResult) -> dict[str, dict[str, list[LayerFlow]]]:
    """Where pathways run side by side: the layers of each, in the order they run."""
    blocks: dict[str, dict[str, list[LayerFlow]]] = {}
    for layer in result.layers:
        if layer.pathway:
            blocks.setdefault(block_of(layer.name), {}).setdefault(layer.pathway, []).append(layer)
    return {name: paths for name, paths in blocks.items() if len(paths) > 1}


def dominated(paths: Mapping[str, Sequence[LayerFlow]]) -> tuple[str, list[str]]:
    """The pathway that brings most where they join, and those that bring less than half of it."""
    shares = {path: _share(layers[-1]) for path, layers in paths.items()}
    best = max(shares, key=lambda path: shares[path])
    return best, [path for path in shares if shares[best] > _DOMINATES * max(shares[path], 0.01)]


def standard_error(first: float, second: float, samples: int) -> float:
    """Of a difference of two shares; an upper bound, as both are of one set."""
    return math.sqrt((first * (1 - first) + second * (1 - second)) / max(samples, 1))


def _share(layer: LayerFlow) -> float:
    """How much of the output a layer is like; of a detector, how much it knows."""
    return layer.probe if layer.cka_output is None else layer.cka_output


def _brings(path: str, layers: Sequence[LayerFlow]) -> str:
    end = layers[-1]
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


def _mean_gradient(layers: Sequence[LayerFlow]) -> float | None:
    known = [layer.gradient for layer in layers if layer.gradient is not None]
    return fmean(known) if known else None
