"""`gradient_paths.py`: tables, JSON and the page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from yolor_gp.commands.gradient_paths import main
from yolor_gp.commands.program import exit_code


def test_json_holds_what_is_promised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "paths.json"
    assert main(["yolor-prn-n", "--json", str(file)]) == 0
    (network,) = json.loads(file.read_text(encoding="utf-8"))
    assert {"name", "longest_shortest", "longest", "combinations", "layers"} <= set(network)
    assert network["name"] == "yolor-prn-n"
    first = network["layers"][0]
    assert {"name", "shortest", "longest", "paths_by_length"} <= set(first)
    lengths = [int(length) for length in first["paths_by_length"]]
    assert (min(lengths), max(lengths)) == (first["shortest"], first["longest"])
    assert network["longest"] == max(layer["longest"] for layer in network["layers"])
    assert "longest shortest" in capsys.readouterr().out


def test_a_layer_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["yolor-prn-n", "--layer", "layers.1.conv"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"timestamp \d+: \d+ paths; from layers\.", printed)
    assert printed.count("  channels ") == 2


def test_an_unknown_layer_names_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(main, ["yolor-prn-n", "--layer", "layers.1"]) == 2
    assert "no layer 'layers.1'; names like it: layers.1.conv" in capsys.readouterr().err


def test_the_page_is_complete_in_one_file(tmp_path: Path) -> None:
    file = tmp_path / "paths.html"
    assert main(["yolor-v3-n", "--figures", "--html", str(file)]) == 0
    page = file.read_text(encoding="utf-8")
    assert "layers.0.conv" in page and page.count('class="figure"') == 8
    fetched = re.findall(r"""(?:src|href)\s*=|@import|url\(|fetch\(|XMLHttp""", page)
    assert not fetched
    assert set(re.findall(r"https?://[^\"'<> ]*", page)) <= {"http://www.w3.org/2000/svg"}


def test_figures_alone_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--figures"]) == 0
    printed = capsys.readouterr().out
    for name in ("ResNet", "PRN", "DenseNet", "SparseNet"):
        assert name in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to analyse"),
        (["torchvision:resnet5"], "torchvision:resnet5: not one of .*did you mean 'resnet50'"),
        (["torchvision:os.system"], "not one of the torchvision networks"),
        (["no-such-file.yaml"], "no-such-file.yaml: "),
        (["yolor-v3-n", "--html", f"{__file__}/folder.html"], "cannot be written"),
        (["yolor-v3-n", "--gradients", "none.json"], "none.json: cannot be read"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(main, arguments) == 2
    error = capsys.readouterr().err
    assert re.search(message, error) and "Traceback" not in error


def test_measured_gradients_stand_beside_the_static_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "paths.json"
    main(["yolor-prn-n", "--json", str(table)])
    (network,) = json.loads(table.read_text(encoding="utf-8"))
    means = {layer["name"]: [0.25] * layer["out_channels"] for layer in network["layers"]}
    measured = tmp_path / "gradients.json"
    measured.write_text(json.dumps({"mean_absolute_gradient": means}), encoding="utf-8")
    capsys.readouterr()
    page = tmp_path / "p.html"
    assert main(["yolor-prn-n", "--gradients", str(measured), "--html", str(page)]) == 0
    assert "2.500e-01" in capsys.readouterr().out
    assert '"gradient":0.25' in page.read_text(encoding="utf-8")
