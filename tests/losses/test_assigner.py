from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.losses.loss_cases import CASES, golden_case
from yolor_gp.losses.assigner import assign
from yolor_gp.ops.boxes import cxcywh_to_xyxy
from yolor_gp.structures.batch import Targets
from yolor_gp.structures.predictions import LevelPrediction


@pytest.mark.coco
@pytest.mark.parametrize("name", CASES)
def test_equals_the_golden_assignment(shared: Path, name: str) -> None:
    case = golden_case(shared, name)
    targets = case.targets
    first = torch.searchsorted(targets.image_index, targets.image_index)
    found = assign(case.raw.levels, targets, case.config.anchor_threshold)
    for index, level in enumerate(found):
        columns = (
            level.image,
            level.anchor,
            level.row,
            level.column,
            targets.labels[level.target],
            level.target - first[level.target] + 1,
        )
        expected = case.golden[f"assign{index}"]
        assert len(level) == len(expected)
        assert set(zip(*(c.tolist() for c in columns), strict=True)) == set(
            map(tuple, expected.tolist())
        )


def cells(
    centre: tuple[float, float], size: tuple[float, float] = (16.0, 16.0)
) -> list[tuple[int, int]]:
    """(column, row) of the positives of one object on a 5 x 4 grid of stride 16."""
    level = LevelPrediction(torch.zeros(1, 1, 4, 5, 6), torch.tensor([[16.0, 16.0]]), 16)
    box = cxcywh_to_xyxy(torch.tensor([[centre[0] * 16, centre[1] * 16, *size]]))
    zero = torch.zeros(1, dtype=torch.int64)
    (found,) = assign([level], Targets(zero, box, zero), 4.0)
    return list(zip(found.column.tolist(), found.row.tolist(), strict=True))


def test_the_own_cell_and_the_neighbours_the_centre_leans_to() -> None:
    assert cells((2.25, 1.25)) == [(2, 1), (1, 1), (2, 0)]
    assert cells((2.75, 1.75)) == [(2, 1), (3, 1), (2, 2)]
    assert cells((2.25, 1.75)) == [(2, 1), (1, 1), (2, 2)]
    assert cells((2.5, 1.5)) == [(2, 1)]


def test_no_neighbour_beyond_the_border() -> None:
    assert cells((0.25, 0.25)) == [(0, 0)]
    assert cells((4.75, 3.75)) == [(4, 3)]
    assert set(cells((5.0, 4.0))) == {(4, 3)}


@pytest.mark.parametrize(
    ("size", "matches"),
    [((63.0, 16.0), True), ((64.0, 16.0), False), ((16.0, 4.0), False), ((16.0, 4.1), True)],
)
def test_shapes_match_within_a_factor(size: tuple[float, float], matches: bool) -> None:
    assert bool(cells((2.5, 1.5), size)) == matches


def test_objects_of_no_size_match_nothing() -> None:
    assert cells((2.5, 1.5), (0.0, 0.0)) == []
