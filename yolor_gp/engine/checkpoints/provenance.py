"""What made a run: command, versions, git state, data, seed and hardware."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from yolor_gp.files import write_json

_PACKAGES = (
    "yolor_gp", "torch", "torchvision", "numpy", "opencv-python-headless", "pycocotools", "hotcoco",
    "albumentations", "pydantic",
)  # fmt: skip


def collect_provenance(**facts: Any) -> dict[str, Any]:
    """Everything needed to run it again, with `facts` (seed, data fingerprint, ...) added."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [sys.executable, *sys.argv],
        "folder": str(Path.cwd()),
        "versions": _versions(),
        "git": _git_state(Path(__file__).resolve().parent),
        "hardware": _hardware(),
        **facts,
    }


def write_provenance(file: Path, provenance: dict[str, Any]) -> None:
    """Write as JSON; a resumed run adds an entry to what is there."""
    entries = []
    if file.is_file():
        try:
            entries = json.loads(file.read_text(encoding="utf-8"))["starts"]
        except (ValueError, KeyError, TypeError):
            entries = []
    entries.append(provenance)
    write_json(file, {"starts": entries}, indent=2)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _git_state(folder: Path) -> dict[str, Any] | None:
    """Commit and changed files of the checkout, None outside one."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no") or ""
    return {"commit": commit.strip(), "changed": [line[3:] for line in changed.splitlines()]}


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _hardware() -> dict[str, Any]:
    devices = range(torch.cuda.device_count())
    return {
        "machine": platform.machine(),
        "system": platform.platform(),
        "processor": torch.cpu.get_capabilities().get("cpu_name", platform.processor()),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cuda": torch.version.cuda,
        "gpus": [torch.cuda.get_device_name(index) for index in devices],
    }
