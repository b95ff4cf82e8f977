"""A layer's arguments bound to the signature of its block, every one checked against its type."""

from __future__ import annotations

import inspect
import json
import math
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from yolor_gp.config.model_spec import LayerSpec, ModelSpec
from yolor_gp.models.blocks.registry import Block

# What the builder gives; a model file cannot.
_BUILDERS_OWN = ("self", "in_channels", "strides")


@dataclass(frozen=True)
class Parameter:
    """One argument a model file may write: its checker, and its default if it has one."""

    checker: TypeAdapter[Any]
    default: Any
    is_required: bool


_known_parameters: dict[type[Block], dict[str, Parameter]] = {}


def block_parameters(block: type[Block]) -> dict[str, Parameter]:
    """The arguments a model file may give to `block`, in order."""
    if block not in _known_parameters:
        _known_parameters[block] = _read_parameters(block)
    return _known_parameters[block]


def _read_parameters(block: type[Block]) -> dict[str, Parameter]:
    signature = inspect.signature(block.__init__)
    hints = get_type_hints(block.__init__, include_extras=True)
    return {
        name: Parameter(
            checker=TypeAdapter(hints[name]),
            default=parameter.default,
            is_required=parameter.default is inspect.Parameter.empty,
        )
        for name, parameter in signature.parameters.items()
        if name not in _BUILDERS_OWN
    }


def takes_strides(block: type[Block]) -> bool:
    """Whether the constructor asks for the strides of its inputs."""
    return "strides" in inspect.signature(block.__init__).parameters


@dataclass(frozen=True)
class Bound:
    """Arguments for the constructor after multiples, and how often the block is repeated."""

    arguments: dict[str, Any]
    repeats: int


def bind(layer: LayerSpec, block: type[Block], spec: ModelSpec) -> tuple[Bound | None, list[str]]:
    """The arguments of `layer` for `block`, or None and what is wrong with them."""
    parameters = block_parameters(block)
    accepts = ", ".join(parameters) or "no arguments"
    where = f"layer {layer.index} ({layer.block})"
    problems: list[str] = []
    # Official files give the number of repeats before the arguments, never among them.
    places = [name for name in parameters if name != block.repeats]
    if len(layer.args) > len(places):
        problems.append(
            f"{layer.location}: {where}: got {len(layer.args)} arguments, expected at most"
            f" {len(places)}; accepts {accepts}"
        )
    given = {**dict(zip(places, layer.args, strict=False)), **layer.arguments}
    for name in given:
        if name not in parameters:
            problems.append(
                f"{_place(layer, name)}: {where}: got an unexpected argument '{name}';"
                f" accepts {accepts}"
            )
    arguments: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if name in given:
            try:
                arguments[name] = _checked(parameter, given[name], spec)
            except ValueError as error:
                problems.append(f"{_place(layer, name)}: {where}: '{name}' {error}")
        elif parameter.is_required and name != block.repeats:
            problems.append(
                f"{layer.location}: {where}: argument '{name}' is missing; accepts {accepts}"
            )
    if block.repeats is not None and block.repeats in given and layer.repeats is not None:
        problems.append(
            f"{layer.location}: {where}: both the number of repeats and '{block.repeats}' are"
            " given; remove one"
        )
    return (None if problems else _scaled(layer, block, arguments, spec)), problems


def _place(layer: LayerSpec, name: str) -> Any:
    return layer.locations.get(name, layer.location)


def _checked(parameter: Parameter, value: Any, spec: ModelSpec) -> Any:
    """The value with constants resolved, as the annotation wants it.

    Raises:
        ValueError: When it is of another kind or out of bounds.
    """
    value = _with_constants(value, spec)
    try:
        # Strict, and as JSON, where a list may stand for a tuple.
        return parameter.checker.validate_json(json.dumps(value, default=str), strict=True)
    except ValidationError as error:
        reasons = dict.fromkeys(detail["msg"].lower() for detail in error.errors())
        text = " or ".join(reasons).replace("input should be", "should be")
        raise ValueError(f"{text}, found {value!r}") from None


def _with_constants(value: Any, spec: ModelSpec) -> Any:
    """The words official files write in arguments: no expression is ever evaluated.

    Raises:
        ValueError: When it names anchors and the file gives none.
    """
    if isinstance(value, list):
        return [_with_constants(item, spec) for item in value]
    if not isinstance(value, str):
        return value
    if value == "anchors" and not spec.anchors:
        raise ValueError("refers to 'anchors', which the file does not give")
    constants: dict[str, Any] = {
        "nc": spec.num_classes,
        "anchors": spec.anchors,
        "None": None,
        "True": True,
        "False": False,
        "nn.SiLU()": "silu",
        "nn.ReLU()": "relu",
        "nn.LeakyReLU(0.1)": "leaky_relu",
        "nn.Mish()": "mish",
        "nn.Hardswish()": "hardswish",
        "nn.Identity()": "none",
    }
    return constants.get(value, value)


def _scaled(
    layer: LayerSpec, block: type[Block], arguments: dict[str, Any], spec: ModelSpec
) -> Bound:
    """Defaults filled in, widths and repeats multiplied."""
    parameters = block_parameters(block)
    for name in set(block.widths) & set(parameters):
        value = arguments.get(name, parameters[name].default)
        as_written = name in layer.arguments and spec.width_multiple == 1
        if isinstance(value, int) and not as_written:
            arguments[name] = scale_width(value, spec.width_multiple)
    number = layer.repeats
    if block.repeats is not None and block.repeats in arguments:
        number = arguments[block.repeats]
    repeats = scale_repeats(number or 1, spec.depth_multiple)
    if block.repeats is None:
        return Bound(arguments, repeats)
    if number is not None:
        arguments[block.repeats] = repeats
    return Bound(arguments, 1)


def scale_width(channels: int, multiple: float) -> int:
    """`channels * multiple` rounded up to a multiple of 8."""
    return math.ceil(channels * multiple / 8) * 8


def scale_repeats(number: int, multiple: float) -> int:
    """`number * multiple` rounded, at least 1; a single block stays single."""
    return max(round(number * multiple), 1) if number > 1 else number
