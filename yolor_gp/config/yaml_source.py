"""YAML read into nodes that remember their file and line, so that messages can name them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from yolor_gp.errors import UserError


@dataclass(frozen=True)
class Location:
    """Where a value stands: prints as `file.yaml:12`."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Node:
    """A YAML value with its location: a scalar, a list of nodes or a mapping of nodes.

    `key_locations` holds the line of every key when the value is a mapping; `text` is what stands
    there when it is a scalar.
    """

    value: Any
    location: Location
    key_locations: dict[str, Location]
    text: str | None = None

    def plain(self) -> Any:
        """The value without locations: dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value


class _SafeLoader(yaml.SafeLoader):
    """`yaml.SafeLoader` reading `1e-3` as a number, as YAML 1.2 does."""


_SafeLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9][0-9_]*)(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)

_MAX_DEPTH = 50


def load_yaml(path: str | Path) -> Node:
    """Read a YAML file.

    Raises:
        UserError: When it cannot be read, naming file and line.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); check the path") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file}: not UTF-8 text (byte {error.start}); expected a YAML file"
        ) from None
    return parse_yaml(text, str(file))


@lru_cache(maxsize=64)
def parse_yaml(text: str, file: str) -> Node:
    """Parse YAML text; `file` is what messages call it. Nobody changes what the nodes hold.

    Raises:
        UserError: When it is not YAML.
    """
    loader = None
    try:
        loader = _SafeLoader(text)
        root = loader.get_single_node()
        if root is None:
            return Node({}, Location(file, 1), {})
        return _convert(loader, root, file, ())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UserError(f"{file}:{line}: not valid YAML: {reason}") from None
    except (ValueError, OverflowError) as error:  # an impossible date or number
        raise UserError(f"{file}: not valid YAML: {error}") from None
    except RecursionError:
        raise UserError(f"{file}: nested too deeply to be read") from None
    finally:
        if loader is not None:
            loader.dispose()


def _convert(
    loader: _SafeLoader, node: yaml.Node, file: str, parents: tuple[yaml.Node, ...]
) -> Node:
    location = Location(file, node.start_mark.line + 1)
    if len(parents) > _MAX_DEPTH or any(node is parent for parent in parents):
        raise UserError(f"{location}: nested more than {_MAX_DEPTH} deep or within itself")
    inside = (*parents, node)
    if isinstance(node, yaml.SequenceNode):
        children = [_convert(loader, child, file, inside) for child in node.value]
        return Node(children, location, {})
    if isinstance(node, yaml.MappingNode):
        return _convert_mapping(loader, node, file, inside)
    return Node(loader.construct_object(node, deep=True), location, {}, str(node.value))


def _convert_mapping(
    loader: _SafeLoader, node: yaml.MappingNode, file: str, inside: tuple[yaml.Node, ...]
) -> Node:
    children: dict[str, Node] = {}
    key_locations: dict[str, Location] = {}
    for key_node, value_node in node.value:
        key_location = Location(file, key_node.start_mark.line + 1)
        if not isinstance(key_node, yaml.ScalarNode):
            raise UserError(f"{key_location}: a key must be a word, not a list or mapping")
        key = str(key_node.value)
        if key in children:
            raise UserError(
                f"{key_location}: '{key}' is given twice (first at line {key_locations[key].line});"
                " remove one"
            )
        children[key] = _convert(loader, value_node, file, inside)
        key_locations[key] = key_location
    return Node(children, Location(file, node.start_mark.line + 1), key_locations)
