"""Model files without what does not work: the unproductive end, the dominated pathways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from yolor_gp.config.layer_spec import LayerSpec
from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.errors import UserError
from yolor_gp.information_flow.advice import SURE, dominated, joins, standard_error
from yolor_gp.information_flow.flow_results import FlowResult
from yolor_gp.models.summary import summarize


@dataclass(frozen=True)
class Smaller:
    """A network without some of its parts.

    Attributes:
        spec: The model file.
        without: What was left out, in words.
        params: Before and after, in all.
        gflops: Before and after, at the size of the images.
    """

    spec: ModelSpec
    without: str
    params: tuple[int, int]
    gflops: tuple[float, float]

    def __str__(self) -> str:
        before, after = self.params
        return (
            f"without {self.without}: {before / 1e6:.2f} M parameters become {after / 1e6:.2f} M,"
            f" {self.gflops[0]:.3f} GFLOPs {self.gflops[1]:.3f}; whether it is as good, only"
            " training it tells"
        )


def shortened(result: FlowResult, spec: ModelSpec, size: int) -> Smaller | None:
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
    left_out = f"its last {len(body) - len(kept)} layers of the backbone"
    return _smaller(spec, [*kept, *head], left_out, size)


def with_fewer_paths(result: FlowResult, spec: ModelSpec, size: int) -> Smaller | None:
    """The model without the pathways that are dominated wherever their stage joins them.

    Only of blocks whose `paths` say what runs side by side; None where nothing is dominated.
    """
    weak: dict[int, set[str]] = {}
    for name, paths in joins(result).items():
        if (index := index_of(name)) is not None:
            found = set(dominated(paths)[1])
            weak[index] = weak[index] & found if index in weak else found
    layers = [_without(layer, weak.get(layer.index, set())) for layer in spec.layers]
    changed = [str(new.index) for new, old in zip(layers, spec.layers, strict=True) if new != old]
    if not changed:
        return None
    return _smaller(spec, layers, f"the dominated pathways of layers {', '.join(changed)}", size)


def index_of(name: str) -> int | None:
    """Of a module's layer in the model file: `layers.7.conv` -> 7."""
    parts = name.split(".")
    return int(parts[1]) if parts[0] == "layers" and len(parts) > 1 else None


def _without(layer: LayerSpec, paths: set[str]) -> LayerSpec:
    known = layer.arguments.get("paths")
    if not paths or known is None:
        return layer
    kept = [path for number, path in enumerate(known) if str(number) not in paths]
    return replace(layer, arguments={**layer.arguments, "paths": kept})


def _smaller(
    spec: ModelSpec, layers: Sequence[LayerSpec], without: str, size: int
) -> Smaller | None:
    numbered = tuple(replace(layer, index=k) for k, layer in enumerate(layers))
    smaller = replace(spec, layers=numbered)
    try:
        before, after = summarize(spec, size), summarize(smaller, size)
    except UserError:  # the rest does not fit together
        return None
    return Smaller(smaller, without, (before.params, after.params), (before.gflops, after.gflops))


def _last_needed(result: FlowResult) -> int:
    """The last layer of the model file that sees something new, or the first as good as any."""
    body = [(k, layer) for layer in result.layers if (k := index_of(layer.name)) is not None]
    peak = max((layer.probe for _, layer in body), default=0.0)
    seeing = [k for k, layer in body if not layer.is_beyond]
    as_good = [
        k
        for k, layer in body
        if layer.probe >= peak - SURE * standard_error(peak, layer.probe, result.samples)
    ]
    return max([-1, *seeing, *as_good[:1]])
