"""A model file read to settings and layers, with `extends` and `replace` carried out.

`extends: FILE` starts from another file (beside this one, or shipped); this file's own keys then
win, and `replace` changes words of the layers it inherits:

    extends: yolor-csp
    replace:
      backbone.CSPStage: {fusion: first}    # every such block of the backbone
      p3: {out_channels: 128}               # the layer of that name

A selector is a layer's name, a block's name, a block's name in one section, or a layer's index.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from yolor_gp.config.layer_spec import (
    LAYER_KEYS,
    LayerSpec,
    read_layer,
    read_repeats,
    read_sources,
)
from yolor_gp.config.shipped import find_shipped
from yolor_gp.config.suggest import did_you_mean
from yolor_gp.config.yaml_source import Node, load_yaml
from yolor_gp.errors import UserError

__all__ = ["LayerSpec", "ModelFile", "read_model_file"]

_SECTIONS = ("backbone", "head")
_KEYS = (
    "extends", "replace", "printed", "nc", "depth_multiple", "width_multiple", "anchors",
    *_SECTIONS,
)  # fmt: skip


@dataclass
class ModelFile:
    """What is read so far: checked settings, layers in order, and lines of what is wrong."""

    settings: dict[str, Any] = field(default_factory=dict)
    layers: list[LayerSpec] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def setting(self, key: str, default: Any) -> Any:
        """A setting's checked value, or `default` when the file gives none that is right."""
        return self.settings.get(key, default)


def read_model_file(node: Node, file: str) -> ModelFile:
    """Read `node`, the whole of `file`.

    Raises:
        UserError: Only when a file cannot be opened.
    """
    parsed = _read(node, file, ())
    if not parsed.layers and not parsed.problems:
        parsed.problems.append(f"{file}: no layers; expected them under 'backbone' and 'head'")
    return parsed


def _read(node: Node, file: str, chain: tuple[Path, ...]) -> ModelFile:
    if not isinstance(node.value, dict):
        found = type(node.value).__name__
        return ModelFile(problems=[f"{node.location}: expected keys and values, found {found}"])
    keys: dict[str, Node] = node.value
    parsed = ModelFile()
    if "extends" in keys:
        parsed = _read_base(keys["extends"], file, (*chain, Path(file).resolve()))
    parsed.settings.pop("printed", None)  # the figures of another row
    for key, location in node.key_locations.items():
        if key not in _KEYS:
            parsed.problems.append(
                f"{location}: unknown key '{key}'{did_you_mean(key, _KEYS)}"
                f" (known: {', '.join(_KEYS)})"
            )
    for key, read in _SETTINGS.items():
        if key in keys:
            try:
                parsed.settings[key] = read(keys[key])
            except ValueError as error:
                parsed.problems.append(f"{keys[key].location}: '{key}' {error}")
    if any(section in keys for section in _SECTIONS):
        _read_sections(keys, parsed)
    if "replace" in keys:
        _replace_words(keys["replace"], parsed)
    return parsed


def _read_base(extends: Node, file: str, chain: tuple[Path, ...]) -> ModelFile:
    if not isinstance(extends.value, str) or not extends.value:
        return ModelFile(
            problems=[f"{extends.location}: 'extends' must name a model file,"
                      f" found {extends.plain()!r}"]
        )  # fmt: skip
    beside = Path(file).parent / extends.value
    try:
        base = beside if beside.is_file() else find_shipped("model", extends.value)
        if base.resolve() in chain:
            circle = " -> ".join(path.name for path in (*chain, base))
            return ModelFile(problems=[f"{extends.location}: 'extends' goes in a circle: {circle}"])
        return _read(load_yaml(base), str(base), chain)
    except UserError as error:
        return ModelFile(problems=[f"{extends.location}: 'extends': {p}" for p in error.problems])
    except (OSError, ValueError) as error:  # a name no file system takes
        return ModelFile(problems=[f"{extends.location}: 'extends': {error}"])


def _read_sections(keys: Mapping[str, Node], parsed: ModelFile) -> None:
    """Replace the sections that this file writes; the others stay as the base has them."""
    inherited = parsed.layers
    parsed.layers = []
    for section in _SECTIONS:
        start = len(parsed.layers)
        if section not in keys:
            kept = [layer for layer in inherited if layer.section == section]
            parsed.layers += [replace(kept[i], index=start + i) for i in range(len(kept))]
            continue
        children = keys[section].value
        if not isinstance(children, list):
            parsed.problems.append(
                f"{keys[section].location}: '{section}' must be a list of layers"
            )
            continue
        for i, child in enumerate(children):
            layer = read_layer(child, start + i, section, parsed.problems)
            # A place holder keeps later indices right; its block is reported only once.
            parsed.layers.append(layer or _unreadable(child, start + i, section))


def _unreadable(node: Node, index: int, section: str) -> LayerSpec:
    return LayerSpec(index, section, "", (), None, (), {}, None, node.location)


def _replace_words(node: Node, parsed: ModelFile) -> None:
    if not isinstance(node.value, dict):
        parsed.problems.append(
            f"{node.location}: 'replace' must map layers to arguments, as in"
            " {CSPStage: {fusion: first}}"
        )
        return
    for selector, words in node.value.items():
        where = f"{node.key_locations[selector]}: replace '{selector}'"
        chosen = [layer for layer in parsed.layers if selector in _selectors(layer)]
        if not chosen:
            known = dict.fromkeys(s for layer in parsed.layers for s in _selectors(layer))
            parsed.problems.append(
                f"{where}: no such layer or block{did_you_mean(selector, known)}"
            )
        elif not isinstance(words.value, dict):
            parsed.problems.append(
                f"{where}: expected {{argument: value}}, found {words.plain()!r}"
            )
        else:
            for layer in chosen:
                parsed.layers[layer.index] = _changed(layer, words, where, parsed.problems)


def _selectors(layer: LayerSpec) -> tuple[str, ...]:
    names = (layer.block, f"{layer.section}.{layer.block}", str(layer.index))
    return names if layer.name is None else (*names, layer.name)


def _changed(layer: LayerSpec, words: Node, where: str, problems: list[str]) -> LayerSpec:
    keys: dict[str, Node] = words.value
    for key in ("args", "name"):
        if key in keys:
            problems.append(f"{where}: '{key}' cannot be replaced")
    changed = replace(
        layer,
        arguments={
            **layer.arguments,
            **{key: child.plain() for key, child in keys.items() if key not in LAYER_KEYS},
        },
        locations={**layer.locations, **words.key_locations},
    )
    if "from" in keys:
        changed = replace(changed, sources=read_sources(keys["from"], where, problems))
    if "repeats" in keys:
        changed = replace(changed, repeats=read_repeats(keys["repeats"], where, problems))
    block = keys.get("block")
    if block is not None and isinstance(block.value, str):
        changed = replace(changed, block=block.value)
    elif block is not None:
        problems.append(f"{where}: 'block' must be a block's name, found {block.plain()!r}")
    return changed


def _read_class_count(node: Node) -> int:
    if type(node.value) is not int or not 1 <= node.value <= 65536:
        raise ValueError(f"must be a whole number between 1 and 65536, found {node.plain()!r}")
    return node.value


def _read_multiple(node: Node) -> float:
    number = node.value
    if type(number) not in (int, float) or not 0 < number <= 16:
        raise ValueError(f"must be a number above 0 and at most 16, found {node.plain()!r}")
    return float(number)


def _read_anchors(node: Node) -> tuple[tuple[tuple[float, float], ...], ...]:
    levels = node.plain()
    if not isinstance(levels, list) or not levels:
        raise ValueError(
            "must list the sizes of each level, as in [[12,16, 19,36, 40,28], ...] (automatic"
            f" anchors are not supported), found {levels!r}"
        )
    pairs = []
    for level in levels:
        sizes = level if isinstance(level, list) else []
        if sizes and all(isinstance(pair, list) and len(pair) == 2 for pair in sizes):
            sizes = [size for pair in sizes for size in pair]
        right = all(type(s) in (int, float) and 0 < s < 1e6 for s in sizes)
        if not sizes or len(sizes) % 2 or not right:
            raise ValueError(f"must be widths and heights above 0 for each level, found {level!r}")
        pairs.append(
            tuple((float(w), float(h)) for w, h in zip(sizes[::2], sizes[1::2], strict=True))
        )
    if len({len(level) for level in pairs}) > 1:
        raise ValueError("must give every level the same number of anchors")
    return tuple(pairs)


def _read_printed(node: Node) -> dict[str, Any]:
    plain = node.plain()
    if not isinstance(plain, dict):
        raise ValueError(f"must map words to the paper's figures, found {plain!r}")
    return plain


_SETTINGS: dict[str, Callable[[Node], Any]] = {
    "nc": _read_class_count,
    "depth_multiple": _read_multiple,
    "width_multiple": _read_multiple,
    "anchors": _read_anchors,
    "printed": _read_printed,
}
