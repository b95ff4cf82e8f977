"""Whatever stands in a model file, the answer is a network or a `UserError`."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.errors import UserError
from yolor_gp.models.blocks.registry import known_blocks
from yolor_gp.models.builder import check_model

import yolor_gp.models.heads  # noqa: F401  isort: skip

WORDS = [
    "nc", "anchors", "None", "backbone", "head", "from", "block", "name", "repeats", "args",
    "extends", "replace", "printed", "out_channels", "kernel", "depth", "yolor-csp", "first",
    "width_multiple", "depth_multiple", "a", "..", "\0",
]  # fmt: skip
NUMBERS = st.integers(-3, 12) | st.sampled_from([0, -1, 2**40, 10**30, 1.5, 1e308, 5000])
SCALARS = (
    st.none() | st.booleans() | NUMBERS | st.sampled_from(WORDS) | st.dates() | st.text(max_size=3)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
BLOCKS = st.sampled_from(sorted(known_blocks())) | VALUES
SOURCES = st.just(-1) | st.lists(st.integers(-2, 5), max_size=3) | VALUES
SMALL = st.lists(st.integers(1, 16) | SCALARS, max_size=4)
FIELD_LAYERS = st.tuples(SOURCES, st.integers(1, 3) | VALUES, BLOCKS, SMALL | VALUES).map(list)
NAMED_LAYERS = st.builds(
    lambda block, words: {"block": block, **words},
    BLOCKS,
    st.dictionaries(st.sampled_from(WORDS), NUMBERS | VALUES, max_size=4),
)
LAYERS = st.lists(FIELD_LAYERS | NAMED_LAYERS | VALUES, max_size=5)
FILES = st.fixed_dictionaries(
    {},
    optional={
        "nc": st.integers(1, 9) | VALUES,
        "anchors": st.just([[1, 2, 3, 4]]) | VALUES,
        "width_multiple": NUMBERS | VALUES,
        "depth_multiple": NUMBERS | VALUES,
        "backbone": LAYERS | VALUES,
        "head": LAYERS | VALUES,
        "extends": st.sampled_from(["yolor-csp-n", "nothing", "fuzz.yaml"]) | VALUES,
        "replace": st.dictionaries(st.sampled_from(["Conv", "SPP", "0", "x"]), VALUES) | VALUES,
        "printed": VALUES,
    },
)


def only_user_errors(text: str) -> None:
    try:
        spec = ModelSpec.from_text(text, "fuzz.yaml")
        check_model(spec)
    except UserError as error:
        assert error.problems and all(error.problems)
        return
    assert ModelSpec.from_text(spec.resolved_yaml, "again.yaml") == spec


@settings(max_examples=100, deadline=None)
@given(FILES | VALUES)
def test_any_structure(content: Any) -> None:
    only_user_errors(yaml.safe_dump(content))


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_any_text(text: str) -> None:
    only_user_errors(text)


VALID = """nc: 3
width_multiple: 0.5
anchors:
  - [10,13, 16,30]
backbone:
  - [-1, 1, Conv, [16, 3, 2]]
  - {block: ELAN, out_channels: 16, hidden: 8, name: a}
  - [[-1, a], 1, Concat, [1]]
head:
  - {block: AnchorHead, from: [2], num_classes: nc, anchors: anchors, masks: 4}
"""


def test_the_unchanged_file_is_right() -> None:
    check_model(ModelSpec.from_text(VALID, "valid.yaml"))


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, len(VALID)),
    st.integers(0, 6),
    st.text(alphabet="[]{},:-&*!|>'\"#%@`\n ab019.eE~", max_size=6),
)
def test_a_damaged_file(start: int, removed: int, inserted: str) -> None:
    only_user_errors(VALID[:start] + inserted + VALID[start + removed :])
