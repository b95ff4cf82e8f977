"""Everything that is wrong with a model file, at once, with file and line."""

from __future__ import annotations

import pytest

from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.errors import UserError
from yolor_gp.models.builder import build_network, check_model

HEAD = """
head:
  - {block: Conv, out_channels: 8, kernel: 3, stride: 8}
  - {block: AnchorHead, from: [-1], num_classes: nc, anchors: anchors}
anchors: [[1, 2]]
"""


def problems_of(text: str) -> tuple[str, ...]:
    with pytest.raises(UserError) as caught:
        check_model(ModelSpec.from_text(text, "bad.yaml"))
    return caught.value.problems


def problem_of(layers: str) -> str:
    """The only problem of a file whose backbone is `layers`, the first at line 2."""
    (problem,) = problems_of(f"backbone:\n{layers}{HEAD}")
    return problem


def test_every_problem_at_once_in_order_of_lines() -> None:
    text = """backbone:
  - {block: Conv, out_channels: 32, kernal: 3}
  - {block: ELANN, out_channels: 256, hidden: 64}
  - [-1, 1, Conv, [32, 3, 1]]
  - {block: Concat, from: [-1, p9]}
  - [-1, 1, Conv]
nc: eighty
head:
  - [-1, 1, AnchorHed, [nc, anchors]]
"""
    accepts = "accepts out_channels, kernel, stride, padding, groups, activation, norm"
    assert problems_of(text) == (
        f"bad.yaml:2: layer 0 (Conv): got an unexpected argument 'kernal'; {accepts}",
        "bad.yaml:3: layer 1: unknown block 'ELANN'; did you mean 'ELAN'?",
        "bad.yaml:5: layer 3 (Concat): 'from' names 'p9', which no earlier layer defines",
        "bad.yaml:6: layer 4: expected four items [from, number, module, args], found 3",
        "bad.yaml:7: 'nc' must be a whole number between 1 and 65536, found 'eighty'",
        "bad.yaml:9: layer 5: unknown block 'AnchorHed'; did you mean 'AnchorHead'?",
    )


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("- [-1, 1, Conv, []]", "layer 0 (Conv): argument 'out_channels' is missing; accepts out"),
        ("- [-1, 1, Conv, [8, '3']]", "'kernel' should be a valid integer, found '3'"),
        ("- [-1, 1, Conv, [8, 0]]", "'kernel' should be greater than or equal to 1, found 0"),
        ("- [-1, 1, Conv, [8, 3.0]]", "'kernel' should be a valid integer, found 3.0"),
        ("- [-1, 1, Conv, [true]]", "'out_channels' should be a valid integer, found True"),
        ("- [-1, 1, Conv, [8,1,1,0,1,silu,true,9]]", "got 8 arguments, expected at most 7"),
        ("- [-1, 1, Conv, [8, 3, 1, None, 3]]", "does not fit inputs of [channels, h, w] [3, 256"),
        ("- [-2, 1, Conv, [8]]", "layer 0 (Conv): 'from' gives -2, but there are 0 earlier layers"),
        ("- [7, 1, Conv, [8]]", "'from' gives 7, but there are 0 earlier layers"),
        ("- [[-1, -1], 1, Conv, [8]]", "takes one input, 'from' gives 2"),
        ("- [[-1], 2, Concat, [1]]", "takes several inputs and so cannot be repeated"),
        ("- [-1, 1, Conv, [anchor]]", "'out_channels' should be a valid integer, found 'anchor'"),
        ("- {block: CSPStage, out_channels: 8, fusion: frst}", "'fusion' should be 'both', '"),
        ("- {block: CSPStage, out_channels: 8, depth: 1, repeats: 2}", "both the number of"),
        ("- {block: CSPStage, out_channels: 8, expansion: 1.0, fusion: last}", "not 8; use fusion"),
        ("- {block: ELAN, out_channels: 8, hidden: 8, stack: 3}", "depth 4 is not a multiple"),
        ("- {block: Split, part: 2}", "part 2 of 3 channels in 2 equal parts"),
        ("- {block: Classifier, num_classes: nc}", "is a head; only the last layer may be one"),
    ],
)  # fmt: skip
def test_each_mistake_is_named_at_its_line(layers: str, expected: str) -> None:
    problem = problem_of(layers + "\n- [-1, 1, Conv, [8]]" if "Concat" not in layers else layers)
    assert problem.startswith("bad.yaml:2: layer 0 (")
    assert expected in problem


def test_widths_that_do_not_fit_are_found() -> None:
    layers = "- [-1, 1, Conv, [8, 3, 2]]\n- [-1, 1, Conv, [8, 3, 2]]\n- [[-1, 0], 1, Concat, [1]]"
    problem = problem_of(layers)
    assert problem.startswith(
        "bad.yaml:4: layer 2 (Concat): does not fit inputs of [channels, h, w]"
        " [8, 64, 64] and [8, 128, 128]: "
    )


def test_a_name_given_twice() -> None:
    layers = "- {block: Conv, out_channels: 8, name: a}\n- {block: Conv, out_channels: 8, name: a}"
    assert problem_of(layers) == (
        "bad.yaml:3: layer 1 (Conv): the name 'a' is already that of layer 0"
    )


def test_a_replaced_argument_is_reported_where_it_stands() -> None:
    text = "extends: yolor-csp-n\n\nreplace:\n  SPPCSPC:\n    kernal: 3"
    (problem,) = problems_of(text)
    assert problem.startswith("bad.yaml:5: layer 11 (SPPCSPC): got an unexpected argument 'kernal'")


def test_the_last_layer_must_be_a_head() -> None:
    (problem,) = problems_of("backbone:\n- [-1, 1, Conv, [8]]")
    assert problem.startswith(
        "bad.yaml:2: layer 0 (Conv): the last layer must be a head; known heads: AnchorHead"
    )


def test_a_head_without_anchors() -> None:
    text = "backbone: [[-1, 1, Conv, [8]]]\nhead: [[[-1], 1, AnchorHead, [nc, anchors]]]"
    (problem,) = problems_of(text)
    assert "'anchors' refers to 'anchors', which the file does not give" in problem


def test_as_many_levels_as_anchors() -> None:
    text = f"backbone: [[-1, 1, Conv, [8]]]{HEAD}".replace("from: [-1]", "from: [-1, 0]")
    (problem,) = problems_of(text)
    assert problem.endswith("2 inputs, but anchors for 1 levels")


@pytest.mark.parametrize(
    ("layer", "cells"),
    [("- [-1, 1, nn.Upsample, [None, 16]]", 512), ("- [-1, 1, MaxPool, [7, 5]]", 7)],
)
def test_levels_must_have_a_stride(layer: str, cells: int) -> None:
    text = f"backbone:\n- [-1, 1, Conv, [8]]{HEAD}".replace(
        "  - {block: AnchorHead", f"  {layer}\n  - {{block: AnchorHead"
    )
    (problem,) = problems_of(text)
    assert problem.startswith("bad.yaml:6: layer 3 (AnchorHead): levels must be 256 cells high")
    assert problem.endswith(f"; found {cells}")


def test_names_must_be_as_many_as_classes() -> None:
    spec = ModelSpec.from_text(f"nc: 2\nbackbone: [[-1, 1, Conv, [8]]]{HEAD}", "good.yaml")
    assert build_network(spec, names=["cat", "dog"]).names == ("cat", "dog")
    assert build_network(spec).names == ("class 0", "class 1")
    with pytest.raises(UserError, match=r"good\.yaml: the network has 2 classes, but 1 names"):
        build_network(spec, names=["cat"])
