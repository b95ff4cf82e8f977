from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

import yolor_gp.losses.mask_loss as module
from tests.losses.loss_cases import plain_mask_loss, random_case
from yolor_gp.losses.mask_loss import mask_loss


def inputs(objects: tuple[int, ...], positives: int, seed: int = 0) -> tuple[object, ...]:
    case = random_case(objects, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(0, max(sum(objects), 1), (positives,), generator=generator)
    coefficients = torch.randn(positives, 4, generator=generator).requires_grad_()
    weight = torch.rand(positives, generator=generator)
    return (
        coefficients, case.raw.prototypes, case.targets.index_map, case.targets,
        target, weight, (64, 96),
    )  # fmt: skip


def value_and_gradients(function: object, arguments: tuple[object, ...]) -> list[Tensor]:
    loss = function(*arguments) * 3
    return [loss.detach(), *torch.autograd.grad(loss, arguments[:2])]  # type: ignore[arg-type]


@pytest.mark.parametrize("piece", [1, 700, 1 << 20])
@pytest.mark.parametrize("objects", [(3, 5), (0, 4, 0, 2), (1,)])
def test_equals_the_definition_however_it_is_cut(
    monkeypatch: pytest.MonkeyPatch, objects: tuple[int, ...], piece: int
) -> None:
    monkeypatch.setitem(module._PIECE, "cpu", piece)
    arguments = inputs(objects, 23)
    for found, expected in zip(
        value_and_gradients(mask_loss, arguments),
        value_and_gradients(plain_mask_loss, arguments),
        strict=True,
    ):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("side", [2, 4])
def test_a_cell_with_several_points_is_covered_in_part(side: int) -> None:
    coefficients, prototypes, index_map, *rest = inputs((3, 5), 23)
    assert isinstance(index_map, Tensor)
    chance = torch.Generator().manual_seed(1)
    points = torch.randint(0, 6, (2, 16 * side, 24 * side), generator=chance, dtype=torch.uint8)
    found = value_and_gradients(mask_loss, (coefficients, prototypes, points, *rest))
    # Cross entropy is linear in the truth: the loss is the mean of those at each point alone.
    maps = [points[:, y::side, x::side] for y in range(side) for x in range(side)]
    each = [
        value_and_gradients(plain_mask_loss, (coefficients, prototypes, one, *rest)) for one in maps
    ]
    for part, value in enumerate(found):
        expected = torch.stack([one[part] for one in each]).mean(0)
        torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-6)


def test_no_positive_gives_zero_and_zero_gradients() -> None:
    for objects in ((0, 0), (2, 1)):
        loss, coefficients, prototypes = value_and_gradients(mask_loss, inputs(objects, 0))
        assert loss == 0 and coefficients.shape == (0, 4)
        assert prototypes.shape == (len(objects), 4, 16, 24) and not prototypes.any()


def test_pieces_are_bounded_and_cover_every_object() -> None:
    areas, counts = [1, 1, 2, 5, 9, 100], [3, 0, 2, 2, 1, 2]
    pieces = module._pieces(areas, counts, 20)
    assert [piece[:2] for piece in pieces] == [(0, 3), (3, 4), (4, 5), (5, 6)]
    for first, last, cells, positives in pieces:
        assert cells >= max(areas[first:last]) and positives >= max(counts[first:last])
        assert last - first == 1 or (last - first) * cells * positives <= 20


def test_autocast_does_not_narrow_it() -> None:
    arguments = inputs((3, 5), 23)
    expected = value_and_gradients(mask_loss, arguments)
    with torch.autocast("cpu", torch.bfloat16):
        found = value_and_gradients(mask_loss, arguments)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_a_box_smaller_than_a_cell_in_the_last_corner_weighs_nothing() -> None:
    arguments = list(inputs((2, 2), 23))
    targets = arguments[3]
    boxes = targets.boxes.clone()
    boxes[-1] = torch.tensor([95.5, 63.5, 96.0, 64.0])
    arguments[3] = replace(targets, boxes=boxes)  # type: ignore[type-var]
    for found, expected in zip(
        value_and_gradients(mask_loss, tuple(arguments)),
        value_and_gradients(plain_mask_loss, tuple(arguments)),
        strict=True,
    ):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
