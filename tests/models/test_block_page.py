"""Every block of the registry on a page; `python -m tests.models.test_block_page` writes it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from yolor_gp.models import heads
from yolor_gp.models.binding import Parameter, block_parameters
from yolor_gp.models.blocks.registry import Block, known_blocks

PAGE = Path(__file__).resolve().parents[2] / "docs" / "blocks.md"

OPENING = """\
# Blocks

What a layer of a [model file](model-files.md) may name, with its arguments in the order in which
`args` takes them. Channels that come in are not written: they are known from the layer before. A
*width* is multiplied by `width_multiple`; the *depth* takes the layer's number, multiplied by
`depth_multiple`.
`python -m tests.models.test_block_page` writes this page from the registry."""


def shipped_blocks() -> dict[type[Block], list[str]]:
    """The project's blocks and the names of each, in the order of their modules."""
    assert heads  # whose import registers them
    named: dict[type[Block], list[str]] = {}
    for name, block in known_blocks().items():
        if block.__module__.startswith("yolor_gp."):
            named.setdefault(block, []).append(name)
    return named


def first_line(documented: Any) -> str:
    """A docstring's first line, without what Markdown would take for HTML."""
    text = inspect.getdoc(documented)
    assert text, f"{documented} has no docstring"
    return text.splitlines()[0].replace("<", "&lt;")


def in_words(schema: dict[str, Any]) -> str:
    """What a JSON schema allows."""
    if "anyOf" in schema:
        return " or ".join(in_words(one) for one in schema["anyOf"])
    for key in ("const", "enum"):
        if key in schema:
            values = schema[key] if key == "enum" else [schema[key]]
            return ", ".join(f"`{value}`" for value in values)
    kind = schema["type"]
    if kind == "array":
        if "prefixItems" in schema:
            return "[" + ", ".join(in_words(item) for item in schema["prefixItems"]) + "]"
        return f"list of {in_words(schema['items'])}"
    words = {"integer": "whole number", "number": "number", "string": "text", "null": "none"}
    return words.get(kind, "`true`, `false`") + bounds(schema)


def bounds(schema: dict[str, Any]) -> str:
    """The bounds of a number in words, with a space before them; empty without bounds."""
    if "exclusiveMinimum" in schema:
        most = f", at most {schema['maximum']:g}" if "maximum" in schema else ""
        return f" above {schema['exclusiveMinimum']:g}{most}"
    return f" {schema['minimum']:g} to {schema['maximum']:g}" if "minimum" in schema else ""


def default(parameter: Parameter) -> str:
    """What an argument is when a file leaves it out, as YAML would write it."""
    value = parameter.default
    if parameter.is_required:
        return "required"
    if value is None:
        return "none"
    return f"`{list(value) if isinstance(value, tuple) else str(value).lower()}`"


def block_lines(block: type[Block], names: list[str]) -> Iterator[str]:
    yield from (f"### {', '.join(names)}", "", first_line(block), "")
    parameters = block_parameters(block)
    if parameters:
        yield from ("| argument | takes | unless said |", "|---|---|---|")
    for name, parameter in parameters.items():
        takes = in_words(parameter.checker.json_schema())
        role = " *width*" * (name in block.widths) + " *depth*" * (name == block.repeats)
        yield f"| `{name}`{role} | {takes} | {default(parameter)} |"
    if parameters:
        yield ""


def page() -> str:
    """docs/blocks.md."""
    lines = [OPENING, ""]
    for module, blocks in groupby(shipped_blocks().items(), key=lambda item: item[0].__module__):
        lines += [f"## {first_line(sys.modules[module]).rstrip('.')}", ""]
        for block, names in blocks:
            lines += block_lines(block, names)
    return "\n".join(lines).rstrip() + "\n"


def test_the_page_is_the_registry() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.models.test_block_page"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
