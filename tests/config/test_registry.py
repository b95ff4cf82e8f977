"""Parts under names."""

from __future__ import annotations

import pytest

from yolor_gp.config.registry import Registry
from yolor_gp.errors import UserError


def registry() -> Registry[int]:
    return Registry("shape", {"circle": 1}, reserved=["none"])


def test_a_part_is_found_by_each_of_its_names() -> None:
    shapes = registry()
    assert shapes.register("square", "box")(4) == 4
    assert shapes.find("square", "--shape") == shapes.find("box", "--shape") == 4


@pytest.mark.parametrize("name", ["circle", "none"])
def test_names_are_taken_once(name: str) -> None:
    with pytest.raises(ValueError, match=f"shape '{name}' is registered twice"):
        registry().register(name)(2)


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(UserError) as caught:
        registry().find("cirkle", "--shape cirkle")
    assert str(caught.value) == (
        "--shape cirkle: unknown shape 'cirkle'; did you mean 'circle'?"
        " (known: none, circle; --plugins may bring more)"
    )


def test_registries_do_not_share_parts() -> None:
    first, second = registry(), registry()
    first.register("square")(4)
    assert "square" not in second.parts
