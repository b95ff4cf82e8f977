"""Table 1 and the stacking argument, measured."""

from __future__ import annotations

import pytest

from yolor_gp.analysis.paths.growth import ORDERS, PUBLISHED, fit_order, measure_growth
from yolor_gp.analysis.paths.published import PUBLISHED_ROWS, comparison_with_ap, rank_correlation
from yolor_gp.analysis.paths.reference_networks import KINDS
from yolor_gp.analysis.paths.stacking import stage_paths
from yolor_gp.config.shipped import shipped_files

DEPTHS = (4, 6, 8, 12, 16, 24)


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_is_found_again(order: str) -> None:
    depths = (4, 8, 16, 32, 64, 128)
    assert fit_order(depths, [round(7 + 3 * ORDERS[order](n)) for n in depths]) == order


@pytest.mark.parametrize("kind", KINDS)
def test_growth_is_as_in_table_1(kind: str) -> None:
    assert measure_growth(kind, DEPTHS).orders == PUBLISHED[kind]


def test_counts_of_a_sparse_dense_network() -> None:
    growth = measure_growth("Sparse DenseNet", (4,))
    # Layer 4 takes 3, 2 and 0; widths 4 * (1, 2, 2, 3) of 3x3, the output takes 4, 3 and 1.
    assert growth.aggregated == (3,)
    assert growth.parameters == (9 * 3 * 4 + 9 * 16 * (1 + 2 + 2 + 3) + 16 * 3,)
    # Stem -> 4 -> output, and nothing is nearer than the farthest pair.
    assert growth.shortest == (3,)


def longest_shortest(name: str, modules: int) -> int | None:
    return stage_paths(name, modules).total.longest_shortest


def test_stacking_lengthens_vovnet_but_not_elan() -> None:
    vovnet = [longest_shortest("VoVNet: OSA modules in a row", n) for n in (1, 3, 6)]
    joined = [longest_shortest("VoVNet + ELAN: one transition a stage", n) for n in (1, 3, 6)]
    elan = [longest_shortest("ELAN: one block, longer chain", n) for n in (1, 3, 6)]
    assert vovnet == [3, 5, 8]
    assert joined == [7, 7, 7]
    assert elan == [4, 4, 4]


@pytest.mark.parametrize(
    ("first", "second", "rho"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 40], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        ([1, 2, 2, 3], [1, 2, 3, 4], 0.9486832980505138),  # ties share their mean rank
        ([1, 1, 1], [1, 2, 3], None),
    ],
)
def test_rank_correlation(first: list[float], second: list[float], rho: float | None) -> None:
    found = rank_correlation(first, second)
    assert found == (None if rho is None else pytest.approx(rho))


def test_every_published_row_has_a_model_file() -> None:
    assert {row.name for row in PUBLISHED_ROWS} <= {file.stem for file in shipped_files("paper")}


def test_networks_that_are_no_rows_are_left_out_of_the_comparison() -> None:
    assert "ELAN" not in comparison_with_ap([stage_paths("ELAN: one block, longer chain", 1)])
