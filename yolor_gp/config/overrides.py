"""`--set key=value`: single keys of a recipe changed from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from yolor_gp.config.yaml_source import Location, Node, parse_yaml
from yolor_gp.errors import UserError


@dataclass(frozen=True)
class FlagLocation(Location):
    """A place on the command line: prints as the flag itself."""

    def __str__(self) -> str:
        return self.file


def apply_overrides(node: Node, overrides: Sequence[str]) -> Node:
    """The mapping `node` with `section.key=value` texts applied, values read as YAML.

    Unknown keys are found later, by validation.

    Raises:
        UserError: For a text that is no override.
    """
    for text in overrides:
        key, separator, value = text.partition("=")
        steps = [step.strip() for step in key.split(".")]
        if not separator or not all(steps):
            raise UserError(
                f"--set {text}: expected key=value, for example schedule.warmup_epochs=1"
            )
        where = FlagLocation(f"--set {text}", 0)
        parsed = parse_yaml(value, f"--set {text}") if value.strip() else Node(None, where, {})
        node = _set(node, steps, _relocate(parsed, where), where)
    return node


def _set(node: Node, steps: Sequence[str], value: Node, where: Location) -> Node:
    if not steps:
        return value
    children = dict(node.value) if isinstance(node.value, dict) else {}
    below = children.get(steps[0], Node({}, where, {}))
    children[steps[0]] = _set(below, steps[1:], value, where)
    return Node(children, node.location, {**node.key_locations, steps[0]: where})


def _relocate(node: Node, where: Location) -> Node:
    """`node` with every location replaced by the flag's."""
    if isinstance(node.value, dict):
        children = {key: _relocate(child, where) for key, child in node.value.items()}
        return Node(children, where, dict.fromkeys(children, where))
    if isinstance(node.value, list):
        return Node([_relocate(child, where) for child in node.value], where, {})
    return Node(node.value, where, {})
