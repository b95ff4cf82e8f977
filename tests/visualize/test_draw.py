from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from yolor_gp.structures.detections import BoxMasks, Detections
from yolor_gp.visualize.colours import class_colour, text_colour
from yolor_gp.visualize.draw import draw_detections, draw_label


def gray(height: int = 120, width: int = 160, value: int = 128) -> NDArray[np.uint8]:
    return np.full((height, width, 3), value, np.uint8)


def one(box: tuple[float, float, float, float], masks: BoxMasks | None = None) -> Detections:
    boxes = torch.tensor([box], dtype=torch.float32)
    return Detections((120, 160), boxes, torch.tensor([0.9]), torch.tensor([2]), masks)


def test_the_original_is_left_alone() -> None:
    image = gray()
    draw_detections(image, one((20, 30, 80, 90)), ["a", "b", "c"])
    assert (image == 128).all()


def test_a_box_is_drawn_on_its_edges_in_its_class_colour() -> None:
    drawn = draw_detections(gray(), one((20, 40, 80, 90)), ["a", "b", "c"])
    assert tuple(drawn[90, 50]) == class_colour(2)
    assert tuple(drawn[60, 80]) == class_colour(2)
    assert (drawn[60, 50] == 128).all(), "the inside of a box is not touched"
    assert (drawn[100:, :] == 128).all(), "nothing is drawn below the box"


def test_a_mask_tints_its_own_pixels_only() -> None:
    window = np.zeros((60, 50), np.bool_)
    window[:30] = True  # the left half: columns first
    masks = BoxMasks((120, 160), np.array([[20, 40, 80, 90]]), (window,))
    drawn = draw_detections(gray(), one((20, 40, 80, 90), masks), ["a", "b", "c"])
    expected = 0.55 * 128 + 0.45 * np.array(class_colour(2))
    assert np.abs(drawn[70, 35] - expected).max() <= 1
    assert (drawn[70, 65] == 128).all()


def test_an_empty_mask_window_is_no_problem() -> None:
    masks = BoxMasks((120, 160), np.array([[20, 40, 20, 40]]), (np.zeros((0, 0), np.bool_),))
    draw_detections(gray(), one((20, 40, 20, 40), masks), ["a"])


@pytest.mark.parametrize("box", [(0, 0, 160, 120), (150, 110, 160, 120), (0, 0, 1, 1)])
@pytest.mark.parametrize("background", [0, 255])
def test_labels_are_legible_anywhere(box: tuple[int, ...], background: int) -> None:
    """The plate lies wholly in the image and the text differs from it by much."""
    image = gray(value=background)
    colour = class_colour(5)
    draw_label(image, np.array(box, np.float32), "person 0.93", colour)
    plate = (image == colour).all(axis=2)
    rows, columns = np.nonzero(plate)
    inside = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert inside.shape[0] >= 10 and inside.shape[1] >= 40
    contrast = np.abs(inside.astype(int) - colour).sum(axis=2)
    assert contrast.max() > 250


def test_detections_of_another_image_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(64, 64\).*got \(120, 160\)"):
        draw_detections(gray(64, 64), one((1, 1, 2, 2)), ["a"])


def test_colours_of_neighbouring_classes_differ() -> None:
    colours = np.array([class_colour(label) for label in range(80)], int)
    distance = np.abs(colours[:, None] - colours[None]).sum(axis=2)
    assert len({tuple(colour) for colour in colours}) == 80
    assert distance[np.arange(79), np.arange(1, 80)].min() > 100
    assert [class_colour(label) for label in range(3)] == [tuple(c) for c in colours[:3]]


def test_text_is_dark_on_light_and_light_on_dark() -> None:
    assert text_colour((255, 255, 0)) == (0, 0, 0)
    assert text_colour((0, 0, 200)) == (255, 255, 255)
