"""What the rows of the paper's tables change, seen in the networks that are built."""

from __future__ import annotations

from collections import Counter

import pytest
from torch import nn

from yolor_gp.config.model_spec import LayerSpec, load_model_spec
from yolor_gp.models.blocks.csp import CSPStage
from yolor_gp.models.blocks.elan import ELAN
from yolor_gp.models.blocks.residual import MaskedAdd, Residual
from yolor_gp.models.blocks.route import Add
from yolor_gp.models.builder import build_network


def built(name: str) -> nn.Module:
    return build_network(load_model_spec(name), device="meta")


@pytest.mark.parametrize(
    ("name", "stopped"),
    [
        ("table3-yolor-csp", {"none": 23}),
        ("table3-stop-gradient-a", {"block": 23}),
        ("table3-stop-gradient-b", {"identity": 23}),
    ],
)
def test_the_gradient_is_stopped_in_all_residual_blocks(name: str, stopped: dict[str, int]) -> None:
    residuals = [m for m in built(name).modules() if isinstance(m, Residual)]
    assert Counter(residual.stop_gradient for residual in residuals) == stopped


@pytest.mark.parametrize(("name", "share"), [("yolor-v3", 1.0), ("yolor-prn", 0.5)])
def test_prn_masks_half_of_every_residual_of_the_backbone(name: str, share: float) -> None:
    residuals = [m for m in built(name).modules() if isinstance(m, Residual)]
    widths = [residual.block[-1].out_channels for residual in residuals]
    assert [residual.add.added for residual in residuals] == [share * width for width in widths]
    assert len(residuals) == 23


@pytest.mark.parametrize(
    ("name", "transitions"),
    [
        ("table6-csp-fusion", (True, True)),
        ("table6-csp-fusion-first", (False, True)),
        ("table6-csp-fusion-last", (True, False)),
        ("table6-csp-no-fusion", (False, False)),
    ],
)
def test_fusion_takes_transitions_away(name: str, transitions: tuple[bool, bool]) -> None:
    stages = [m for m in built(name).modules() if isinstance(m, CSPStage)]
    found = [
        tuple(not isinstance(transition, nn.Identity) for transition in (stage.last, stage.first))
        for stage in stages
    ]
    assert found == [transitions] * 4


@pytest.mark.parametrize(
    ("name", "stacks"),
    [
        ("table7-elan-1-1", [1, 1, 1, 1, 1, 1, 1, 1]),
        ("table7-elan-2-1", [2, 2, 2, 2, 1, 1, 1, 1]),
        ("table7-elan-2-2", [2, 2, 2, 2, 2, 2, 2, 2]),
    ],
)
def test_elan_rows_differ_in_their_stacks(name: str, stacks: list[int]) -> None:
    assert [m.stack for m in built(name).modules() if isinstance(m, ELAN)] == stacks


@pytest.mark.parametrize(
    ("row", "base", "words"),
    [
        ("yolor-prn", "yolor-v3", {("Bottleneck", "mask_ratio")}),
        ("table6-csp-no-fusion", "yolor-csp", {("CSPStage", "fusion")}),
        ("table7-elan-2-2", "yolor-elan", {("ELAN", "stack")}),
        ("table5-yolor-v3-no-spp", "yolor-v3", {("SPP", "block")}),
        ("table4-vovnet-elan-csp", "table4-vovnet-elan", {("OSAStage", "partial")}),
    ],
)
def test_a_row_that_differs_by_one_word_is_a_file_that_does(
    row: str, base: str, words: set[tuple[str, str]]
) -> None:
    changed = set()
    pairs = zip(load_model_spec(row).layers, load_model_spec(base).layers, strict=True)
    for new, old in pairs:
        changed |= {(old.block, word) for word in changed_words(new, old)}
    assert changed == words


def changed_words(new: LayerSpec, old: LayerSpec) -> set[str]:
    one, other = new.as_mapping(), old.as_mapping()
    return {word for word in one | other if one.get(word) != other.get(word)}


def test_the_asymmetric_neck_adds_features_of_different_width() -> None:
    joins = [m for m in built("yolor-v3-asymmetric").modules() if isinstance(m, Add)]
    adds = [add for join in joins for add in join.adds]
    assert [(join.out_channels, add.added) for join, add in zip(joins, adds, strict=True)
            if isinstance(add, MaskedAdd)] == [(512, 256), (256, 128)]  # fmt: skip
