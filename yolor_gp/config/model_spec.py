"""A network as its model file states it: layers in order, each with block, inputs and arguments.

What the file says is read here; whether the blocks exist and fit together is checked by
`models.builder`, which reports its findings together with those collected here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from yolor_gp.config.model_file import LayerSpec, ModelFile, read_model_file
from yolor_gp.config.shipped import find_shipped
from yolor_gp.config.yaml_source import Node, load_yaml, parse_yaml
from yolor_gp.errors import UserError

__all__ = ["LayerSpec", "ModelSpec", "load_model_spec"]

Anchors = tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True)
class ModelSpec:
    """A model file with `extends` and `replace` carried out; the multiples are kept as they are.

    anchors: per level, (width, height) pairs in input pixels; layers: backbone then head.
    printed: figures of the paper's table row this file stands for (`gflops`, `params`, ...).
    problems: what is wrong with the file's form, one line each; `build_network` raises them
    together with what is wrong with the blocks, so that one run shows everything.
    """

    file: str = field(compare=False)
    num_classes: int
    depth_multiple: float
    width_multiple: float
    anchors: Anchors
    layers: tuple[LayerSpec, ...]
    printed: Mapping[str, Any] = field(default_factory=dict, compare=False)
    problems: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def from_text(cls, text: str, file: str) -> ModelSpec:
        """Read YAML text; `file` is what messages call it.

        Raises:
            UserError: When it is not YAML.
        """
        return _spec_from_node(parse_yaml(text, file), file)

    @property
    def name(self) -> str:
        """The file's name without folder and ending."""
        return Path(self.file).stem

    @property
    def resolved_yaml(self) -> str:
        """YAML text without `extends` and `replace` from which the same spec is read again."""
        settings: dict[str, Any] = {
            "nc": self.num_classes,
            "depth_multiple": self.depth_multiple,
            "width_multiple": self.width_multiple,
        }
        lines = [f"{key}: {_flow(value)}" for key, value in settings.items()]
        if self.anchors:
            lines += ["anchors:"]
            lines += [
                f"- {_flow([size for pair in level for size in pair])}" for level in self.anchors
            ]
        for section in ("backbone", "head"):
            layers = [layer for layer in self.layers if layer.section == section]
            if layers:
                lines += [f"{section}:", *(f"- {_flow(layer.as_mapping())}" for layer in layers)]
        return "\n".join(lines) + "\n"

    def with_classes(self, number: int) -> ModelSpec:
        """The same network for another number of classes.

        Raises:
            UserError: When the number is below 1.
        """
        if number < 1:
            raise UserError(f"{self.file}: expected at least 1 class, got {number}")
        return replace(self, num_classes=number)


def load_model_spec(path_or_shipped_name: str | Path) -> ModelSpec:
    """Read a model file by path or shipped name.

    Problems of the file's form are kept in `problems` for `build_network` to report.

    Raises:
        UserError: When it cannot be read.
    """
    path = find_shipped("model", path_or_shipped_name)
    return _spec_from_node(load_yaml(path), str(path))


def _spec_from_node(node: Node, file: str) -> ModelSpec:
    parsed: ModelFile = read_model_file(node, file)
    return ModelSpec(
        file=file,
        num_classes=parsed.setting("nc", 80),
        depth_multiple=parsed.setting("depth_multiple", 1.0),
        width_multiple=parsed.setting("width_multiple", 1.0),
        anchors=parsed.setting("anchors", ()),
        layers=tuple(parsed.layers),
        printed=parsed.setting("printed", {}),
        problems=tuple(parsed.problems),
    )


def _flow(value: Any) -> str:
    """One line of YAML."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=2**31)
    return text.removesuffix("\n").removesuffix("\n...")
