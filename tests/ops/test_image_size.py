"""Sizes of the input as people write them."""

from __future__ import annotations

import numpy as np
import pytest

from yolor_gp.ops.image_size import AnySize, ImageSize


@pytest.mark.parametrize("value", [(640, 384), [640, 384], "640x384", ("640", "384")])
def test_two_numbers_are_width_and_height(value: AnySize) -> None:
    size = ImageSize.of(value)
    assert (size.width, size.height) == (640, 384) and size == (384, 640)
    assert size.plain == [640, 384] and str(size) == "640x384" and ImageSize.of(size) is size
    assert ImageSize.of(size.plain) == size == ImageSize.of(str(size))


@pytest.mark.parametrize("value", [640, "640", [640], ("640",), (640, 640)])
def test_one_number_is_a_square(value: AnySize) -> None:
    size = ImageSize.of(value)
    assert size == (640, 640) and size.is_square and size.plain == 640 and str(size) == "640"


@pytest.mark.parametrize("value", [0, -3, True, "", "big", "640x", "1x2x3", (), (1, 2, 3), (64, 0)])
def test_what_is_no_size_is_said(value: AnySize) -> None:
    with pytest.raises(ValueError, match="one side, or width and height"):
        ImageSize.of(value)


def test_pictures_are_scaled_to_fit() -> None:
    pictures = np.array([[100, 100], [50, 200], [400, 100]])  # height, width
    assert ImageSize.of("640x320").fit(pictures).tolist() == [3.2, 3.2, 0.8]
