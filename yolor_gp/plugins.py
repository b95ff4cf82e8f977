"""Other people's parts: modules that register blocks, box measures and more when imported.

They are loaded on the user's word alone (`--plugins`, `load_plugins`), never because a file says
so.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path

from yolor_gp.errors import UserError

GROUP = "yolor_gp.plugins"
"""The entry-point group under which an installed package may offer a module by a short name."""

_FILE_MODULES = "yolor_gp_plugin_"

_loaded: dict[str, None] = {}


def load_plugins(names: Iterable[str]) -> None:
    """Import modules, each once.

    names: of modules (`my_package.blocks`), of Python files (`my_blocks.py`), or of entry points in
    the group `yolor_gp.plugins`.

    Raises:
        UserError: When one is not found or fails.
    """
    for name in names:
        if name not in _loaded:
            _import(name)
            _loaded[name] = None


def loaded_plugins() -> tuple[str, ...]:
    """What has been loaded, by the names it was asked for."""
    return tuple(_loaded)


def is_plugin_file(module: str) -> bool:
    """Whether a module of this name was made from a file, and is imported by that alone."""
    return module.startswith(_FILE_MODULES)


def _import(name: str) -> None:
    offered = {entry.name: entry.value for entry in entry_points(group=GROUP)}
    try:
        if name.endswith(".py"):
            _import_file(Path(name))
        else:
            importlib.import_module(offered.get(name, name))
    except UserError:
        raise
    except Exception as error:  # whatever a stranger's module does
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"--plugins {name}: cannot be imported ({reason})") from error


def _import_file(file: Path) -> None:
    if not file.is_file():
        raise UserError(f"--plugins {file}: no such file")
    module_name = f"{_FILE_MODULES}{file.stem}"
    spec = importlib.util.spec_from_file_location(module_name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
