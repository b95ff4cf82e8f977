from __future__ import annotations

import numpy as np
import pytest

from tests.data.data_sets import Painted
from yolor_gp.config.train_config import AugmentConfig
from yolor_gp.data.loading.loader import train_loader
from yolor_gp.data.loading.rare_classes import class_weights, drawn_order, repeat_factors


def test_factors_by_hand(painted: Painted) -> None:
    table = painted.open(64).table
    starts = np.concatenate(([0], table.object_ends[:-1]))
    classes = [
        set(table.labels[a:b].tolist()) for a, b in zip(starts, table.object_ends, strict=True)
    ]
    factors = repeat_factors(table, 0.9)
    for found, own in zip(factors, classes, strict=True):
        shares = [sum(c in other for other in classes) / len(classes) for c in own]
        assert found == pytest.approx(max([1.0, *((0.9 / share) ** 0.5 for share in shares)]))
    assert (repeat_factors(table, 0.0) == 1).all()


def test_an_epoch_stays_as_long_and_shows_rare_images_more_often() -> None:
    factors = np.array([1.0, 1.0, 2.5, 1.0, 1.0, 1.0])
    counts = np.zeros(6)
    for seed in range(600):
        order = drawn_order(factors, np.random.default_rng(seed))
        assert len(order) == 6
        once = np.bincount(order, minlength=6)
        expected = factors / factors.sum() * 6
        assert ((once >= np.floor(expected)) & (once <= np.ceil(expected))).all()
        counts += once
    assert counts / 600 == pytest.approx(factors / factors.sum() * 6, abs=0.1)


def test_weights_by_hand() -> None:
    weights = class_weights(np.array([0] * 16 + [1] * 4), 3)
    assert weights[2] == 1.0
    assert weights[1] / weights[0] == pytest.approx(2, rel=1e-3)
    assert (16 * weights[0] + 4 * weights[1]) / 20 == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_loader_draws_by_them(painted: Painted, workers: int) -> None:
    dataset = painted.open(64)
    loader = train_loader(
        dataset, batch_size=4, seed=0, workers=workers,
        augment=AugmentConfig(mosaic=0, repeat_rare=1.0),
    )  # fmt: skip
    shown = [meta.path for batch in loader.epoch(1) for meta in batch.metas]
    order = loader.order(1).tolist()
    assert shown == [dataset.image_path(index) for index in order]
    plain = train_loader(dataset, batch_size=4, seed=0, workers=0, augment=AugmentConfig())
    assert order != plain.order(1).tolist()
