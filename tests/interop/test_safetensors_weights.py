"""Weights as safetensors come back whole, with all that is needed to rebuild the network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.errors import UserError
from yolor_gp.interop.safetensors_weights import load_safetensors, save_safetensors
from yolor_gp.models.builder import build_network

MODEL = """
nc: 2
anchors: [[10,13, 16,30], [30,61, 62,45]]
backbone:
  - [-1, 1, Conv, [8, 3, 2]]
head:
  - [-1, 1, Conv, [8, 3, 2]]
  - [[0, 1], 1, ISegment, [nc, anchors, 4, 8]]
"""


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    spec = ModelSpec.from_text(MODEL, "small.yaml")
    file = tmp_path / "folder" / "small.safetensors"
    save_safetensors(file, spec, build_network(spec).state_dict(), ("cat", "Hündin"))
    return file


def test_weights_model_file_and_names_come_back(saved: Path) -> None:
    torch.manual_seed(0)
    expected = build_network(ModelSpec.from_text(MODEL, "small.yaml")).state_dict()
    spec, weights, names = load_safetensors(saved)
    assert names == ("cat", "Hündin")
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    build_network(spec, names=names).load_state_dict(weights)


def test_equal_weights_are_equal_files(saved: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.safetensors"
    spec, weights, names = load_safetensors(saved)
    save_safetensors(again, spec, weights, names)
    assert saved.read_bytes() == again.read_bytes()
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"yolor_gp": "{"},
        {"yolor_gp": "[" * 100_000},
        {"yolor_gp": json.dumps({"model": MODEL})},
        {"yolor_gp": json.dumps({"model": MODEL, "names": ["cat"]})},
        {"yolor_gp": json.dumps({"model": MODEL, "names": ["cat", 7]})},
        {"yolor_gp": json.dumps({"model": "nc: [", "names": ["cat", "dog"]})},
        {"yolor_gp": json.dumps({"model": "nc: 0", "names": []})},
    ],
)
def test_foreign_metadata_is_named(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(safetensors.torch.save({"a": torch.ones(2)}, metadata))
    with pytest.raises(UserError, match=r"x\.safetensors: "):
        load_safetensors(file)


@pytest.mark.parametrize("length", [0, 7, 100, 2000])
def test_a_cut_file_is_named(saved: Path, length: int) -> None:
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(UserError, match="damaged"):
        load_safetensors(saved)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        load_safetensors(tmp_path / "none.safetensors")


def test_a_folder_that_cannot_be_written_is_named(saved: Path) -> None:
    spec, weights, names = load_safetensors(saved)
    with pytest.raises(UserError, match="cannot be written"):
        save_safetensors(saved / "below-a-file.safetensors", spec, weights, names)
