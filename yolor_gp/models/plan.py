"""The check before anything is built: the whole network on the meta device, without memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from yolor_gp.config.model_spec import LayerSpec, ModelSpec
from yolor_gp.config.suggest import did_you_mean
from yolor_gp.errors import UserError
from yolor_gp.models.binding import Bound, bind, takes_strides
from yolor_gp.models.blocks.registry import Block, find_block, known_blocks
from yolor_gp.ops.image_size import AnySize, ImageSize

# Side of the square image that is sent through: every stride up to this is told apart.
CHECK_SIZE = 256
IMAGE = -1

_known_outputs: dict[tuple[object, ...], Tensor] = {}
"""What layers gave before: a file is checked more than once on its way to a network."""


@dataclass(frozen=True)
class LayerPlan:
    """A layer ready to be built.

    sources: indices of the layers it reads, -1 for the image; stride: input pixels per cell of
    its output (None for a head's); the rest is what its constructor takes.
    """

    layer: LayerSpec
    block: type[Block]
    sources: tuple[int, ...]
    bound: Bound
    in_channels: tuple[int, ...]
    in_strides: tuple[int, ...]

    def construct(self) -> nn.Module:
        """The layer's module; repeated blocks in sequence."""
        modules: list[nn.Module] = []
        in_channels: Any = self.in_channels if self.block.takes_many else self.in_channels[0]
        for _ in range(self.bound.repeats):
            given = {"strides": self.in_strides} if takes_strides(self.block) else {}
            module = self.block(in_channels, **given, **self.bound.arguments)
            in_channels = module.out_channels
            modules.append(module)
        return modules[0] if len(modules) == 1 else nn.Sequential(*modules)


def plan_network(spec: ModelSpec) -> list[LayerPlan]:
    """Check the whole of `spec`.

    Raises:
        UserError: With every problem, in the order of lines.
    """
    checker = _Checker(spec)
    for layer in spec.layers:
        checker.add(layer)
    checker.check_head()
    problems = [*spec.problems, *checker.problems]
    if problems:
        raise UserError(*sorted(dict.fromkeys(problems), key=_line_of))
    return [plan for plan in checker.plans if plan is not None]


def _line_of(problem: str) -> tuple[str, int]:
    file, _, rest = problem.partition(":")
    line = rest.partition(":")[0]
    return file, int(line) if line.isdigit() else 0


class _Checker:
    """Walks through the layers; what a wrong layer would have given stays unknown (None)."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.plans: list[LayerPlan | None] = []
        self.outputs: list[Tensor | None] = []
        self.names: dict[str, int] = {}
        self.problems: list[str] = []
        self.image = torch.empty(1, 3, CHECK_SIZE, CHECK_SIZE, device="meta")

    def add(self, layer: LayerSpec) -> None:
        """Check one layer and note what it gives."""
        plan, output = self._planned(layer), None
        if plan is not None:
            output = self._output(plan)
        self.plans.append(plan)
        self.outputs.append(output)
        if layer.name is not None and layer.name in self.names:
            first = self.names[layer.name]
            self._report(layer, f"the name '{layer.name}' is already that of layer {first}")
        elif layer.name is not None:
            self.names[layer.name] = layer.index

    def check_head(self) -> None:
        """The last layer, and only the last, is a head."""
        for layer in self.spec.layers:
            block = find_block(layer.block)
            if block is None:
                continue
            is_last = layer is self.spec.layers[-1]
            heads = ", ".join(name for name, b in known_blocks().items() if b.task is not None)
            if is_last and block.task is None:
                self._report(layer, f"the last layer must be a head; known heads: {heads}")
            if not is_last and block.task is not None:
                self._report(layer, "is a head; only the last layer may be one")

    def _report(self, layer: LayerSpec, text: str) -> None:
        of_block = f" ({layer.block})" if find_block(layer.block) else ""
        self.problems.append(f"{layer.location}: layer {layer.index}{of_block}: {text}")

    def _planned(self, layer: LayerSpec) -> LayerPlan | None:
        sources = self._sources(layer)
        block = find_block(layer.block)
        if block is None:
            if layer.block:  # an unreadable layer has been reported already
                suggestion = did_you_mean(layer.block, known_blocks())
                self._report(layer, f"unknown block '{layer.block}'{suggestion}")
            return None
        bound, problems = bind(layer, block, self.spec)
        self.problems += problems
        if sources is not None and not block.takes_many and len(sources) != 1:
            self._report(layer, f"takes one input, 'from' gives {len(sources)}")
            return None
        if block.takes_many and bound is not None and bound.repeats > 1:
            self._report(layer, "takes several inputs and so cannot be repeated")
            return None
        if bound is None or sources is None:
            return None
        inputs = [self._tensor(source) for source in sources]
        known = [tensor for tensor in inputs if tensor is not None]
        if len(known) != len(inputs):
            return None
        if takes_strides(block) and any(CHECK_SIZE % tensor.shape[2] for tensor in known):
            cells = ", ".join(str(tensor.shape[2]) for tensor in known)
            self._report(
                layer,
                f"levels must be {CHECK_SIZE} cells high divided by a stride, for an image of"
                f" {CHECK_SIZE}; found {cells}",
            )
            return None
        return LayerPlan(
            layer=layer,
            block=block,
            sources=sources,
            bound=bound,
            in_channels=tuple(tensor.shape[1] for tensor in known),
            in_strides=tuple(CHECK_SIZE // tensor.shape[2] for tensor in known),
        )

    def _tensor(self, source: int) -> Tensor | None:
        return self.image if source == IMAGE else self.outputs[source]

    def _sources(self, layer: LayerSpec) -> tuple[int, ...] | None:
        """Indices of the layers read; None, and problems, when one cannot be resolved."""
        found: list[int] = []
        for source in layer.sources:
            if isinstance(source, str):
                index = self.names.get(source)
                if index is None:
                    hint = did_you_mean(source, self.names)
                    self._report(
                        layer, f"'from' names '{source}', which no earlier layer defines{hint}"
                    )
                    continue
            else:
                index = layer.index + source if source < 0 else source
                if not (0 <= index < layer.index or (layer.index == 0 and source == IMAGE)):
                    self._report(
                        layer, f"'from' gives {source}, but there are {layer.index} earlier layers"
                    )
                    continue
            found.append(index)
        return tuple(found) if found and len(found) == len(layer.sources) else None

    def _output(self, plan: LayerPlan) -> Tensor | None:
        """What the layer gives on the meta device; None for a head, and where it cannot run."""
        inputs = [tensor for tensor in map(self._tensor, plan.sources) if tensor is not None]
        key = (plan.block, repr(plan.bound), *(tensor.shape for tensor in inputs))
        if key not in _known_outputs:
            output = self._sent_through(plan, inputs)
            if output is None:
                return None
            _known_outputs[key] = output
        return _known_outputs[key]

    def _sent_through(self, plan: LayerPlan, inputs: list[Tensor]) -> Tensor | None:
        shapes = " and ".join(str(list(tensor.shape[1:])) for tensor in inputs)
        try:
            with torch.device("meta"):
                module = plan.construct().eval()
            with torch.no_grad():
                output = module(inputs if plan.block.takes_many else inputs[0])
        except (ValueError, RuntimeError, TypeError, ArithmeticError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            self._report(plan.layer, f"does not fit inputs of [channels, h, w] {shapes}: {reason}")
            return None
        if plan.block.task is not None:
            return None
        stated = _stated_channels(module)
        if not isinstance(output, Tensor) or output.ndim != 4 or output.shape[1] != stated:
            self._report(plan.layer, f"states {stated} output channels but gives {output.shape}")
            return None
        return output


def _stated_channels(module: nn.Module) -> int:
    last = module[-1] if isinstance(module, nn.Sequential) else module
    assert isinstance(last, Block)
    return last.out_channels


def max_stride(plans: Sequence[LayerPlan]) -> int:
    """The largest stride of any layer's input: image sides must be multiples of it."""
    return max(stride for plan in plans for stride in plan.in_strides)


def input_size(value: AnySize) -> ImageSize:
    """The size that `--img` says.

    Raises:
        UserError: When it says none.
    """
    try:
        return ImageSize.of(value)
    except ValueError as error:
        raise UserError(f"--img {value}: {error}") from None


def check_image_size(image_size: AnySize, stride: int) -> None:
    """Refuse an input with a side that `stride` does not divide.

    Raises:
        UserError: When it does not, with sides that would do.
    """
    size = input_size(image_size)
    for side in size:
        if side % stride:
            lower = max(side // stride, 1) * stride
            raise UserError(
                f"--img {size}: {'' if size.is_square else f'{side} '}must be a multiple of"
                f" {stride}; use {lower} or {lower + stride}"
            )
