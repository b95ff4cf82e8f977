from __future__ import annotations

from pathlib import Path

import pytest

from yolor_gp.config.model_spec import ModelSpec, load_model_spec
from yolor_gp.config.shipped import shipped_files
from yolor_gp.errors import UserError

BASE = """nc: 4
anchors:
  - [10,13, 16,30]
backbone:
  - {block: Conv, out_channels: 16, kernel: 3, name: stem}
  - [-1, 2, Bottleneck, [16]]
  - {block: CSPStage, out_channels: 16, depth: 2}
head:
  - {block: CSPStage, out_channels: 32}
"""


def spec_of(text: str, file: str = "test.yaml") -> ModelSpec:
    return ModelSpec.from_text(text, file)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


def test_both_notations_are_read() -> None:
    spec = spec_of(BASE)
    stem, listed = spec.layers[:2]
    assert (stem.block, stem.name, stem.sources, stem.repeats) == ("Conv", "stem", (-1,), None)
    assert stem.arguments == {"out_channels": 16, "kernel": 3} and stem.args == ()
    assert (listed.block, listed.args, listed.repeats) == ("Bottleneck", (16,), 2)
    assert [layer.section for layer in spec.layers] == ["backbone"] * 3 + ["head"]
    assert str(listed.location) == "test.yaml:6"
    assert spec.anchors == (((10, 13), (16, 30)),)
    assert spec.problems == ()


def test_defaults_are_the_fields() -> None:
    spec = spec_of("backbone: [[-1, 1, Conv, [8]]]")
    assert (spec.num_classes, spec.depth_multiple, spec.width_multiple) == (80, 1.0, 1.0)


def test_another_number_of_classes() -> None:
    assert spec_of(BASE).with_classes(7).num_classes == 7
    with pytest.raises(UserError, match="at least 1 class"):
        spec_of(BASE).with_classes(0)


def test_an_extending_file_changes_only_the_words_it_names(tmp_path: Path) -> None:
    written(tmp_path, "base", BASE)
    row = "extends: base.yaml\nreplace:\n  backbone.CSPStage: {fusion: first}\n  stem: {kernel: 1}"
    base = load_model_spec(tmp_path / "base.yaml")
    spec = load_model_spec(written(tmp_path, "row", row))
    assert spec.layers[0].arguments == {"out_channels": 16, "kernel": 1}
    assert spec.layers[2].arguments == {"out_channels": 16, "depth": 2, "fusion": "first"}
    assert (spec.layers[1], spec.layers[3]) == (base.layers[1], base.layers[3])
    assert (spec.num_classes, spec.anchors) == (base.num_classes, base.anchors)


def test_a_chain_of_files_and_a_section_of_its_own(tmp_path: Path) -> None:
    written(tmp_path, "base", BASE)
    written(tmp_path, "middle", "extends: base.yaml\nnc: 5\nreplace: {1: {shortcut: false}}")
    last = "extends: middle.yaml\nhead:\n  - [-1, 1, Conv, [8]]\n  - [-1, 1, Conv, [4]]"
    spec = load_model_spec(written(tmp_path, "last", last))
    assert spec.problems == ()
    assert spec.num_classes == 5
    assert spec.layers[1].arguments == {"shortcut": False}
    assert [layer.index for layer in spec.layers] == list(range(5))
    assert [layer.block for layer in spec.layers[3:]] == ["Conv", "Conv"]


def test_block_inputs_and_number_can_be_replaced(tmp_path: Path) -> None:
    written(tmp_path, "base", BASE)
    row = "extends: base.yaml\nreplace: {Bottleneck: {block: Conv, repeats: 3, from: stem}}"
    layer = load_model_spec(written(tmp_path, "row", row)).layers[1]
    assert (layer.block, layer.repeats, layer.sources) == ("Conv", 3, ("stem",))


def test_a_circle_is_named(tmp_path: Path) -> None:
    written(tmp_path, "a", "extends: b.yaml")
    written(tmp_path, "b", "extends: c.yaml")
    written(tmp_path, "c", "extends: a.yaml")
    (problem,) = load_model_spec(tmp_path / "a.yaml").problems
    assert problem.endswith("goes in a circle: a.yaml -> b.yaml -> c.yaml -> a.yaml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- 1", "test.yaml:1: expected keys and values, found list"),
        ("", "test.yaml: no layers; expected them under 'backbone' and 'head'"),
        ("nc: 0", "test.yaml:1: 'nc' must be a whole number between 1 and 65536, found 0"),
        ("nc: true", "test.yaml:1: 'nc' must be a whole number between 1 and 65536, found True"),
        ("width_multiple: .inf", "'width_multiple' must be a number above 0 and at most 16"),
        ("anchors: 3", "'anchors' must list the sizes of each level"),
        ("anchors: [[1, 2, 3]]", "'anchors' must be widths and heights above 0 for each level"),
        ("anchors: [[1, 2], [1, 2, 3, 4]]", "must give every level the same number of anchors"),
        ("printed: 3", "'printed' must map words to the paper's figures"),
        ("backbon: []", "unknown key 'backbon'; did you mean 'backbone'?"),
        ("backbone: 3", "test.yaml:1: 'backbone' must be a list of layers"),
        ("backbone:\n- 3", "test.yaml:2: layer 0: expected [from, number, module, args]"),
        ("backbone:\n- [-1, 1, Conv]", "test.yaml:2: layer 0: expected four items"),
        ("backbone:\n- [-1, 1, 3, []]", "layer 0: the module must be a block's name, found 3"),
        ("backbone:\n- [-1, 1, Conv, 3]", "layer 0 (Conv): args must be a list, found 3"),
        ("backbone:\n- [-1, 0, Conv, []]", "repeats must be between 1 and 256, found 0"),
        ("backbone:\n- [1.5, 1, Conv, []]", "'from' must be a layer's index or name"),
        ("backbone:\n- {from: 3}", "test.yaml:2: layer 0: 'block' is missing"),
        ("backbone:\n- {block: Conv, args: 3}", "layer 0 (Conv): 'args' must be a list"),
        ("backbone:\n- {block: Conv, name: 3}", "layer 0 (Conv): 'name' must be a word"),
        ("extends: 3", "test.yaml:1: 'extends' must name a model file, found 3"),
        ("extends: yolor-cps", "no such file, nor a shipped model of that name; did you mean"),
        ("extends: yolor-csp\nreplace: 3", "test.yaml:2: 'replace' must map layers to arguments"),
        (
            "extends: yolor-csp\nreplace: {CSPStag: {depth: 1}}",
            "test.yaml:2: replace 'CSPStag': no such layer or block; did you mean 'CSPStage'?",
        ),
        ("extends: yolor-csp\nreplace: {CSPStage: 3}", "expected {argument: value}, found 3"),
        ("extends: yolor-csp\nreplace: {CSPStage: {name: 3}}", "'name' cannot be replaced"),
    ],
)
def test_what_is_wrong_with_the_form(text: str, expected: str) -> None:
    assert any(expected in problem for problem in spec_of(text).problems)


def test_every_problem_is_kept() -> None:
    text = "nc: 0\nbackbone:\n- 3\n- [-1, 1, Conv]\nhaed: []\nanchors: 3"
    lines = [problem.split(":")[1] for problem in spec_of(text).problems]
    assert sorted(lines) == ["1", "3", "4", "5", "6"]


@pytest.mark.parametrize("path", shipped_files("model"), ids=lambda path: path.stem)
def test_resolved_yaml_reads_as_the_same_spec(path: Path) -> None:
    spec = load_model_spec(path)
    again = spec_of(spec.resolved_yaml)
    assert "extends" not in spec.resolved_yaml and "replace" not in spec.resolved_yaml
    assert spec.problems == again.problems == ()
    assert again == spec


def test_resolved_yaml_keeps_classes_and_replaced_words(tmp_path: Path) -> None:
    written(tmp_path, "base", BASE)
    row = "extends: base.yaml\nwidth_multiple: 0.5\nreplace: {Bottleneck: {shortcut: false}}"
    spec = load_model_spec(written(tmp_path, "row", row)).with_classes(9)
    again = spec_of(spec.resolved_yaml)
    assert again == spec
    assert (again.num_classes, again.width_multiple) == (9, 0.5)
    assert (again.layers[1].args, again.layers[1].arguments) == ((16,), {"shortcut": False})
