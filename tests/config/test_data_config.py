"""The three forms of a data set's YAML, and what is said about wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from yolor_gp.config.data_config import load_data_config
from yolor_gp.errors import UserError


def write(folder: Path, text: str) -> Path:
    file = folder / "data.yaml"
    file.write_text(text)
    return file


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(UserError) as caught:
        load_data_config(write(folder, text))
    return [line.removeprefix(f"{folder}/") for line in str(caught.value).splitlines()]


def test_coco_form_is_relative_to_path_which_is_relative_to_the_file(tmp_path: Path) -> None:
    config = load_data_config(
        write(
            tmp_path,
            "path: coco\ntrain: images/a\nval: images/b\n"
            "annotations: {train: a.json, val: b.json}\n",
        )
    )
    assert config.form == "coco"
    assert config.images("train") == (tmp_path / "coco/images/a",)
    assert config.annotations["val"] == tmp_path / "coco/b.json"
    moved = load_data_config(config.file, tmp_path / "elsewhere")
    assert moved.images("val") == (tmp_path / "elsewhere/images/b",)


@pytest.mark.parametrize(
    "names",
    ["names: [cat, dog, 3]", "names: {0: cat, 1: dog, 2: 3}", "nc: 3\nnames: [cat, dog, 3]"],
)
def test_yolo_form_as_the_field_writes_it(tmp_path: Path, names: str) -> None:
    text = f"path: .\ntrain: [images/a, more.txt]\nval: images/b\ntest: x\ndownload: y\n{names}\n"
    config = load_data_config(write(tmp_path, text))
    assert config.form == "yolo"
    assert config.images("train") == (tmp_path / "images/a", tmp_path / "more.txt")
    assert config.names == ("cat", "dog", "3")  # a number is a fine name, too


def test_only_the_number_of_classes(tmp_path: Path) -> None:
    config = load_data_config(write(tmp_path, "train: a\nval: b\nnc: 2\n"))
    assert config.names == ("class0", "class1")


def test_shipped_shapes_go_to_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = load_data_config("shapes")
    assert config.form == "shapes" and config.shapes is not None
    assert config.root == tmp_path / "datasets/shapes"
    assert load_data_config("shapes", "other").root == tmp_path / "other"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train: a\nvall: b\n", ["data.yaml:2: unknown key 'vall'; did you mean 'val'?"]),
        ("names: [a]\n", ["data.yaml: neither 'train' nor 'val' is given"]),
        ("train: a\n", ["data.yaml: 'names' is missing"]),
        ("train: a\nnc: 3\nnames: [x, y]\n", ["data.yaml:2: 'nc' is 3, but 'names' has 2"]),
        ("train: a\nnames: [x, y, x]\n", ["data.yaml:2: the class name 'x' is given twice"]),
        ("train: a\nnames: {0: x, 2: y}\n", ["data.yaml:2: the keys of 'names' must be 0 to 1"]),
        ("train: a\nnames: []\n", ["data.yaml:2: 'names' is empty"]),
        (
            "train: a\nval: b\nannotations: {train: x}\nnames: [a]\n",
            ["data.yaml:2: 'annotations' has no 'val'", "data.yaml:4: 'names' comes from"],
        ),
        ("shapes: {}\ntrain: a\n", ["data.yaml:2: 'train' does not belong beside 'shapes'"]),
        (
            "shapes: {sise: 9, train: 0}\n",
            ["data.yaml:1: 'shapes.train'", "data.yaml:1: unknown key 'shapes.sise'; did you mean"],
        ),
        ("- a\n", ["data.yaml:1: expected keys and values"]),
    ],
)
def test_every_problem_names_its_line(tmp_path: Path, text: str, expected: list[str]) -> None:
    found = problems(tmp_path, text)
    assert len(found) == len(expected)
    for line, start in zip(found, expected, strict=True):
        assert line.startswith(start)


def test_a_split_that_is_not_there(tmp_path: Path) -> None:
    config = load_data_config(write(tmp_path, "train: a\nnames: [x]\n"))
    with pytest.raises(UserError, match="'val' is missing"):
        config.images("val")


def test_an_unknown_name_is_suggested() -> None:
    with pytest.raises(UserError, match="did you mean 'shapes'"):
        load_data_config("shape")
