"""The doors: every example of docs/extending.md is a file outside the package, run here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torchvision.ops import complete_box_iou_loss, distance_box_iou_loss, generalized_box_iou_loss

import yolor_gp
from tests.tiny_network import TINY
from yolor_gp import UserError
from yolor_gp.losses.box_loss import find_box_iou, register_box_iou
from yolor_gp.plugins import load_plugins, loaded_plugins

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples" / "plugins"
TRAIN = ["--data", "few.yaml", "--hyp", "demo", "--img", "64", "--batch-size", "4", "--epochs",
         "1", "--workers", "0", "--device", "cpu", "--precision", "float32"]  # fmt: skip


def program(name: str, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A program of the top level, in a process of its own."""
    return subprocess.run(
        [sys.executable, str(ROOT / f"{name}.py"), *words],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that names a plugin's block, and a few pictures."""
    where = tmp_path_factory.mktemp("plugins")
    text = Path(TINY).read_text()
    line = "- {block: SqueezeExcite, ratio: 2, from: p4, name: weighed}\n"
    text = text.replace("head:\n", f"{line}head:\n").replace("[p3, p4]", "[p3, weighed]")
    (where / "squeezed.yaml").write_text(text)
    (where / "few.yaml").write_text(
        "path: few\nshapes: {train: 8, val: 4, size: 64, max_objects: 3, seed: 3}\n"
    )
    return where


def test_a_block_and_a_measure_train_and_are_named_in_the_weights(folder: Path) -> None:
    block, measure = str(EXAMPLES / "squeeze.py"), str(EXAMPLES / "square_iou.py")
    without = program("train", "--cfg", "squeezed.yaml", *TRAIN, folder=folder)
    assert without.returncode == 2
    assert "unknown block 'SqueezeExcite'" in without.stderr
    plugins = ["--plugins", block, measure]
    words = ["--cfg", "squeezed.yaml", *TRAIN, "--set", "loss.box_iou=square_iou", *plugins]
    trained = program("train", *words, folder=folder)
    assert trained.returncode == 0, trained.stderr
    weights = "runs/train/exp/weights/best.pt"
    asked = ["--weights", weights, "--data", "few.yaml", "--device", "cpu", "--workers", "0"]
    refused = program("val", *asked, folder=folder)
    assert refused.returncode == 2
    assert f"was made with --plugins {block} {measure}" in refused.stderr
    found = program("val", *asked, "--plugins", block, folder=folder)
    assert found.returncode == 0, found.stderr


def test_plugins_that_fail_are_told(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise RuntimeError('no such\\nluck')\n")
    for name, message in (
        ("no_such_module_here", "cannot be imported"),
        (str(tmp_path / "none.py"), "no such file"),
        (str(tmp_path / "broken.py"), r"cannot be imported \(no such luck\)"),
    ):
        with pytest.raises(UserError, match=message):
            yolor_gp.load_plugins([name])
        assert name not in loaded_plugins()


def test_a_module_is_loaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "counting_plugin.py").write_text("import sys\nsys.counted_plugins = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    load_plugins(["counting_plugin", "counting_plugin"])
    assert loaded_plugins().count("counting_plugin") == 1


def test_measures_are_those_of_torchvision() -> None:
    generator = torch.Generator().manual_seed(0)
    corner = torch.rand(200, 2, generator=generator) * 20
    sides = torch.rand(200, 2, generator=generator) * 20 + 1
    first = torch.cat((corner, corner + sides), dim=1)
    second = first.roll(1, 0).clone().requires_grad_()
    for name, theirs in (
        ("giou", generalized_box_iou_loss),
        ("diou", distance_box_iou_loss),
        ("ciou", complete_box_iou_loss),
    ):
        ours = 1 - find_box_iou(name)(second, first)
        expected = theirs(second, first)
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)
        gradients = [torch.autograd.grad(loss.sum(), second)[0] for loss in (ours, expected)]
        torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-5)


def test_measures_are_known_by_name() -> None:
    with pytest.raises(UserError, match="unknown measure 'cuou'; did you mean 'ciou'"):
        find_box_iou("cuou")
    with pytest.raises(ValueError, match="registered twice"):
        register_box_iou("ciou")(find_box_iou("iou"))
    with pytest.raises(UserError, match="unknown measure"):
        yolor_gp.load(TINY, device="cpu").train("shapes", img=64, set={"loss.box_iou": "cuou"})


def test_the_page_shows_the_examples() -> None:
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    for example in EXAMPLES.glob("*.py"):
        assert f"examples/plugins/{example.name}" in page
