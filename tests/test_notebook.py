"""The example notebook: what it shows lies in the file, and it runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "examples" / "first_look.ipynb"


def outputs(book: Any) -> list[Any]:
    return [output for cell in book["cells"] for output in cell.get("outputs", [])]


def pictures(book: Any) -> list[str]:
    found = [output.get("data", {}).get("image/png") for output in outputs(book)]
    return [picture for picture in found if picture]


def printed(book: Any) -> str:
    return "".join("".join(output.get("text", "")) for output in outputs(book))


def test_the_notebook_shows_what_it_gave() -> None:
    book = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert len(pictures(book)) == 2
    assert not [output for output in outputs(book) if output["output_type"] == "error"]
    assert "triangle" in printed(book)


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ipykernel", reason="a notebook needs its kernel")
    nbclient = pytest.importorskip("nbclient", reason="what runs notebooks is not installed")
    nbformat = pytest.importorskip("nbformat", reason="what runs notebooks is not installed")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    book = nbformat.read(NOTEBOOK, as_version=4)
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(book, timeout=1800, kernel_name="python3", resources=place).execute()
    assert len(pictures(book)) == 2
    assert "triangle" in printed(book) and "star" in printed(book)
    assert (tmp_path / "runs/train/exp/weights/last.pt").is_file()
