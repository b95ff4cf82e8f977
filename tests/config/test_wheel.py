"""The YAML files travel in the wheel, and are found where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_an_unpacked_wheel_finds_its_models_from_anywhere(tmp_path: Path) -> None:
    tree, wheels, site = tmp_path / "tree", tmp_path / "wheels", tmp_path / "site"
    tree.mkdir()
    for name in ("yolor_gp", "cfg", "data"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, tree / name)
    pip = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "-q"]
    subprocess.run([*pip, "-w", str(wheels), str(tree)], check=True)
    (wheel,) = wheels.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(site)
    find = "find_shipped('model', 'yolor-csp')"
    code = f"from yolor_gp.config.shipped import find_shipped; print({find})"
    found = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    assert found == str(site / "yolor_gp" / "_shipped" / "cfg" / "model" / "yolor-csp.yaml")
    shipped = {p.name for p in (site / "yolor_gp" / "_shipped").rglob("*.yaml")}
    written = [*(ROOT / "cfg").rglob("*.yaml"), *(ROOT / "data").glob("*.yaml")]
    assert shipped == {p.name for p in written}
