"""The YAML files that travel with the package, found by bare name from any working directory."""

from __future__ import annotations

from pathlib import Path

from yolor_gp.config.suggest import did_you_mean
from yolor_gp.errors import UserError

_PACKAGE = Path(__file__).resolve().parent.parent

# A model may be asked for by the name of any file that describes a network.
_FOLDERS: dict[str, tuple[str, ...]] = {
    "model": ("cfg/model", "cfg/paper", "cfg/imagenet", "cfg/flow"),
    "data": ("data",),
}


def shipped_root() -> Path:
    """The folder holding `cfg/` and `data/`: inside an installed package, else the checkout."""
    installed = _PACKAGE / "_shipped"
    return installed if installed.is_dir() else _PACKAGE.parent


def shipped_files(kind: str) -> list[Path]:
    """Every shipped YAML of a kind: model, paper, imagenet, flow, train, ablation, data."""
    folders = _FOLDERS.get(kind, (f"cfg/{kind}",))
    root = shipped_root()
    return [path for folder in folders for path in sorted((root / folder).glob("*.yaml"))]


def find_shipped(kind: str, name_or_path: str | Path) -> Path:
    """The file meant by a path, by a bare name (`yolor-csp`) or by `cfg/model/yolor-csp.yaml`.

    A file at the path given wins over a shipped one.

    Raises:
        UserError: When there is none, with a suggestion.
    """
    path = Path(name_or_path)
    try:
        if path.is_file():
            return path
    except (OSError, ValueError):  # too long for a file's name, or with a zero byte
        pass
    root = shipped_root()
    if path.parts[:1] in (("cfg",), ("data",)) and ".." not in path.parts:
        shipped_path = root / path
        if shipped_path.is_file():
            return shipped_path
    known: dict[str, Path] = {}
    for file in shipped_files(kind):
        known.setdefault(file.stem, file)
    stem = path.stem if path.suffix in (".yaml", ".yml") else path.name
    if len(path.parts) <= 1 and stem in known:
        return known[stem]
    names = ", ".join(known) or "none"
    if kind == "model":
        names = "see summarize_model.py --list"
    raise UserError(
        f"{name_or_path}: no such file, nor a shipped {kind} of that name"
        f"{did_you_mean(stem, known, most=3)} (shipped: {names})"
    )
