"""Keeps the floors of the house: imports go strictly down, and a few rules of the rooms."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from yolor_gp.flags.names import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "yolor_gp"

FLOORS: dict[str, int] = {
    "errors": 0, "files": 0, "workers": 0, "ops": 0, "process": 0, "plugins": 0,
    "structures": 1, "config": 1,
    "losses": 2, "evaluation": 2, "data": 2, "visualize": 2,
    "models": 3,
    "analysis": 4, "interop": 4, "media": 4,
    "engine": 5,
    "weights": 6,
    "detection": 7, "classification": 7,
    "results": 8, "classifier": 8, "check": 8, "run_report": 8, "information_flow": 8, "export": 8,
    "detector": 9, "ablation": 9,
    "model": 10,
    "flags": 11,
    "commands": 12,
}  # fmt: skip
"""The floor of every room (a package or module directly under yolor_gp)."""

ALWAYS_NEEDED = {"torch", "numpy", "cv2", "pydantic", "yaml"}
"""Third-party packages without which nothing runs: never imported inside a function."""

MOST_LINES = 400

FILES = sorted(PACKAGE.rglob("*.py"))


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file): file for file in FILES}


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def imported_modules(node: ast.AST) -> Iterator[str]:
    """The modules an import statement names; `from a import b` gives a.b where that is one."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "relative import"
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            yield whole if whole in MODULES else str(node.module)


def imports_of(file: Path) -> set[str]:
    return {name for node in ast.walk(tree(file)) for name in imported_modules(node)}


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def short(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def test_every_room_has_a_floor() -> None:
    rooms = {room(module) for module in MODULES} - {""}
    assert rooms <= set(FLOORS), f"no floor for {sorted(rooms - set(FLOORS))}"


def test_imports_go_strictly_down() -> None:
    for file in FILES:
        own = room(module_name(file))
        for module in imports_of(file):
            other = room(module)
            if module.split(".")[0] != "yolor_gp" or own == "" or other in ("", own, "errors"):
                continue
            assert FLOORS[other] < FLOORS[own], (
                f"{short(file)} (floor {FLOORS[own]}) imports {module} (floor {FLOORS[other]})"
            )


def test_there_are_no_circles() -> None:
    graph = {name: imports_of(file) & set(MODULES) for name, file in MODULES.items()}
    finished: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name in finished:
            return
        for other in sorted(graph[name] - {name}):
            walk(other, (*path, name))
        finished.add(name)

    for name in graph:
        walk(name, ())


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_imports_stand_at_the_top() -> None:
    """Only optional third-party packages may be imported inside a function."""
    for file, function in ((path, each) for path in FILES for each in functions(path)):
        for node in ast.walk(function):
            for module in imported_modules(node):
                top = module.split(".")[0]
                optional = top not in ALWAYS_NEEDED | {"yolor_gp"} | sys.stdlib_module_names
                is_board = module.startswith("torch.utils.tensorboard")
                assert optional or is_board, f"{short(file)}: {function.name} imports {module}"


def names_used(file: Path) -> set[str]:
    """Every identifier, attribute, keyword and imported name of a file."""
    found: set[str] = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.alias):
            found.update(node.name.split("."))
    return found


def test_only_distributed_knows_torch_distributed() -> None:
    knowing = {"DistributedDataParallel", "init_process_group", "DistributedSampler"}
    for file in FILES:
        if short(file) == "yolor_gp/engine/distributed/context.py":
            continue
        modules = imports_of(file)
        assert not any(name.startswith("torch.distributed") for name in modules), short(file)
        assert not names_used(file) & knowing, short(file)
        assert "torch.distributed." not in ast.unparse(tree(file)), short(file)


def test_only_precision_knows_mixed_precision() -> None:
    for file in FILES:
        if short(file) != "yolor_gp/engine/precision.py":
            assert not re.search(
                r"torch\.autocast|torch\.(cuda\.)?amp|GradScaler", ast.unparse(tree(file))
            ), short(file)


BY_NAME = ("yolor_gp/commands/program.py", "yolor_gp/__init__.py", "yolor_gp/plugins.py")
"""The door, the lazy face, and the user's own word."""


def test_only_these_import_by_name() -> None:
    for file in FILES:
        if short(file) not in BY_NAME:
            assert "import_module" not in names_used(file), short(file)
            assert "__import__" not in names_used(file), short(file)


def test_nothing_of_the_users_is_run() -> None:
    """No eval, exec or pickle of anything that comes from a file."""
    for file, node in ((path, each) for path in FILES for each in ast.walk(tree(path))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec"), f"{short(file)}:{node.lineno}"
        if isinstance(node, ast.keyword) and node.arg in ("weights_only", "allow_pickle"):
            value = node.value.value if isinstance(node.value, ast.Constant) else None
            assert value is (node.arg == "weights_only"), f"{short(file)}:{node.value.lineno}"


def test_a_file_can_be_read_in_one_go() -> None:
    for file in FILES:
        lines = file.read_text(encoding="utf-8").count("\n")
        assert lines <= MOST_LINES, f"{short(file)} has {lines} lines; split it"


def test_there_is_no_utils() -> None:
    assert not [short(file) for file in FILES if re.search(r"util|helper|common|misc", file.stem)]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_door_opens_its_own_command(name: str) -> None:
    module = name.replace("-", "_")
    place = ROOT if name in ("train", "val", "detect") else ROOT / "scripts"
    *documentation, imported, opened = tree(place / f"{module}.py").body
    assert len(documentation) <= 1
    assert ast.unparse(imported) == "from yolor_gp.commands.program import start"
    assert ast.unparse(opened) == f"if __name__ == '__main__':\n    start('{name}')"
    assert (PACKAGE / "flags" / f"{module}.py").is_file()
