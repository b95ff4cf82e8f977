"""One layer of a model file, read from either notation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from yolor_gp.config.yaml_source import Location, Node

_MAX_REPEATS = 256
# Keys of the named notation that are not arguments of the block.
LAYER_KEYS = ("block", "from", "repeats", "args", "name")


@dataclass(frozen=True)
class LayerSpec:
    """What a model file says of one layer.

    index: its place, counted from 0 over backbone and head; sources: earlier layers by name, by
    index, or relative (-1: the layer before); repeats: the number, None when the file gives none;
    args: by position; arguments: by name, winning over `args` (`replace` adds them);
    location: where the layer stands; locations: where a replaced argument stands.
    """

    index: int
    section: str
    block: str
    sources: tuple[int | str, ...]
    repeats: int | None
    args: tuple[Any, ...]
    arguments: Mapping[str, Any]
    name: str | None
    location: Location = field(compare=False)
    locations: Mapping[str, Location] = field(default_factory=dict, compare=False)

    def as_mapping(self) -> dict[str, Any]:
        """The named notation, as plain values, that reads as this layer."""
        mapping: dict[str, Any] = {"block": self.block}
        if self.sources != (-1,):
            sources = list(self.sources)
            mapping["from"] = sources if len(sources) > 1 else sources[0]
        if self.repeats is not None:
            mapping["repeats"] = self.repeats
        if self.args:
            mapping["args"] = list(self.args)
        mapping.update(self.arguments)
        if self.name is not None:
            mapping["name"] = self.name
        return mapping


def read_layer(node: Node, index: int, section: str, problems: list[str]) -> LayerSpec | None:
    """The layer written at `node`; None, and lines added to `problems`, when it cannot be read."""
    if isinstance(node.value, list):
        return _from_list(node, index, section, problems)
    if isinstance(node.value, dict):
        return _from_mapping(node, index, section, problems)
    problems.append(
        f"{node.location}: layer {index}: expected [from, number, module, args] or"
        f" {{block: ..., ...}}, found {node.value!r}"
    )
    return None


def _from_list(node: Node, index: int, section: str, problems: list[str]) -> LayerSpec | None:
    where = f"{node.location}: layer {index}"
    if len(node.value) != 4:
        problems.append(
            f"{where}: expected four items [from, number, module, args], found {len(node.value)}"
        )
        return None
    source, number, block, args = node.value
    if not isinstance(block.value, str):
        problems.append(f"{where}: the module must be a block's name, found {block.value!r}")
        return None
    if not isinstance(args.value, list):
        problems.append(f"{where} ({block.value}): args must be a list, found {args.plain()!r}")
        return None
    return LayerSpec(
        index=index,
        section=section,
        block=block.value,
        sources=read_sources(source, f"{where} ({block.value})", problems),
        repeats=read_repeats(number, f"{where} ({block.value})", problems),
        args=tuple(args.plain()),
        arguments={},
        name=None,
        location=node.location,
    )


def _from_mapping(node: Node, index: int, section: str, problems: list[str]) -> LayerSpec | None:
    where = f"{node.location}: layer {index}"
    keys: dict[str, Node] = node.value
    block = keys.get("block")
    if block is None or not isinstance(block.value, str):
        found = "is missing" if block is None else f"must be a block's name, found {block.value!r}"
        problems.append(f"{where}: 'block' {found}")
        return None
    where += f" ({block.value})"
    sources, repeats = keys.get("from"), keys.get("repeats")
    args, name = keys.get("args"), keys.get("name")
    if args is not None and not isinstance(args.value, list):
        problems.append(f"{where}: 'args' must be a list, found {args.plain()!r}")
        args = None
    if name is not None and not (isinstance(name.value, str) and name.value):
        problems.append(f"{where}: 'name' must be a word, found {name.plain()!r}")
        name = None
    return LayerSpec(
        index=index,
        section=section,
        block=block.value,
        sources=(-1,) if sources is None else read_sources(sources, where, problems),
        repeats=None if repeats is None else read_repeats(repeats, where, problems),
        args=() if args is None else tuple(args.plain()),
        arguments={key: child.plain() for key, child in keys.items() if key not in LAYER_KEYS},
        name=None if name is None else name.value,
        location=node.location,
    )


def read_sources(node: Node, where: str, problems: list[str]) -> tuple[int | str, ...]:
    """The layers that `from` names: one or a list, each an index or a name."""
    children: list[Node] = node.value if isinstance(node.value, list) else [node]
    wrong = [child for child in children if not _is_source(child.value)]
    if wrong or not children:
        problems.append(
            f"{where}: 'from' must be a layer's index or name, or a list of them,"
            f" found {node.plain()!r}"
        )
        return ()
    return tuple(child.value for child in children)


def read_repeats(node: Node, where: str, problems: list[str]) -> int | None:
    """How many times the block is repeated."""
    number = node.value
    if type(number) is not int or not 1 <= number <= _MAX_REPEATS:
        problems.append(
            f"{where}: the number of repeats must be between 1 and {_MAX_REPEATS},"
            f" found {node.plain()!r}"
        )
        return None
    return number


def _is_source(value: Any) -> bool:
    return type(value) is int or (isinstance(value, str) and bool(value))
