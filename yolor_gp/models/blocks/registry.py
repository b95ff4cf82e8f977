"""The blocks a model file may name. A block declares what the builder needs to know of it.

A block is an `nn.Module` whose constructor takes `in_channels` first (the builder's to give) and
then the arguments a model file may write, each annotated with its type and bounds. A head may also
take `strides`, the input pixels per cell of each of its inputs: likewise the builder's to give.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar, TypeVar, cast

from pydantic import BeforeValidator, Field
from torch import nn

from yolor_gp.config.registry import Registry


def _square(value: object) -> object:
    """Official files write a kernel of 1 as [1, 1] in places."""
    if isinstance(value, list) and len(value) == 2 and value[0] == value[1]:
        return value[0]
    return value


# What arguments of a model file may be; the builder checks them before anything is constructed.
Width = Annotated[int, Field(ge=1, le=65536)]
Count = Annotated[int, Field(ge=1, le=256)]
Kernel = Annotated[int, Field(ge=1, le=64), BeforeValidator(_square)]
Padding = Annotated[int, Field(ge=0, le=64)]
Ratio = Annotated[float, Field(ge=0, le=1)]
Expansion = Annotated[float, Field(gt=0, le=16)]


class Block(nn.Module):
    """A layer of a model file: `forward` maps [B, in_channels, h, w] to [B, out_channels, h', w'].

    widths: arguments that the width multiple scales;
    repeats: the argument that takes the layer's number (and the depth multiple), None when the
    number repeats the whole block in sequence;
    takes_many: the block's input is a list of tensors and `in_channels` a tuple;
    task: what a network ending in this block does; None unless the block is a head.
    """

    widths: ClassVar[tuple[str, ...]] = ("out_channels",)
    repeats: ClassVar[str | None] = None
    takes_many: ClassVar[bool] = False
    task: ClassVar[str | None] = None

    out_channels: int


class ManyInputs(Block):
    """A block whose `forward` takes a list of tensors: routes and heads."""

    widths: ClassVar[tuple[str, ...]] = ()
    takes_many: ClassVar[bool] = True


BlockType = TypeVar("BlockType", bound=type[Block])
_blocks: Registry[type[Block]] = Registry("block")


def register(*names: str) -> Callable[[BlockType], BlockType]:
    """Enter a block under `names`.

    Raises:
        ValueError: When a name is taken.
    """
    return cast(Callable[[BlockType], BlockType], _blocks.register(*names))


def find_block(name: str) -> type[Block] | None:
    """The block registered under `name`, or None."""
    return _blocks.parts.get(name)


def known_blocks() -> dict[str, type[Block]]:
    """Every registered name and its block."""
    return dict(_blocks.parts)
