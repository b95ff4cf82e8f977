"""Differences between rows that were trained with the same seeds and validated on the same images.

What a difference owes to the choice of seeds and of images is estimated by a bootstrap over both
(Efron 1979): seeds and images are drawn again with replacement, the same for both rows, since they
saw the same data in the same order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

DRAWS = 1000
CONFIDENCE = 0.95


class Outcome(Protocol):
    """What one run did on every image of the validation."""

    @property
    def images(self) -> int:
        """How many there are."""

    def score(self, times: NDArray[np.int64] | None = None) -> float:
        """The figure in 0..1 when image i is drawn times[i] times, None: each once."""


@dataclass(frozen=True)
class Difference:
    """The figure of a row minus that of the base, in 0..1, and its interval at 95%.

    The interval of three seeds is narrower than it should be: they can be drawn in few ways.
    """

    by_seed: tuple[float, ...]
    low: float
    high: float

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return fmean(self.by_seed)

    @property
    def is_told(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0

    def words(self, row: str, base: str, unit: str = "AP") -> str:
        """What can be concluded, in a sentence; unit: of the figure in percent."""
        if len(self.by_seed) < 2:
            return f"{row}: one seed tells nothing of the spread; no conclusion."
        each = ", ".join(f"{100 * value:+.1f}" for value in self.by_seed)
        size = (
            f"{100 * self.mean:+.1f} {unit} [{100 * self.low:+.1f}, {100 * self.high:+.1f}]"
            f" (each seed: {each})"
        )
        if self.is_told:
            better = "better" if self.mean > 0 else "worse"
            return f"{row} is {better} than {base} here: {size}."
        least = 50 * (self.high - self.low)
        return (
            f"{row} and {base} cannot be told apart here: {size}; differences under about"
            f" {least:.1f} {unit} are within what seeds and images do."
        )


def paired_difference(
    row: Mapping[int, Outcome],
    base: Mapping[int, Outcome],
    *,
    draws: int = DRAWS,
    chance: np.random.Generator | None = None,
) -> Difference | None:
    """The difference of two rows, by seed; None where they share no seed.

    Args:
        row: What came of each seed.
        base: Likewise, of the row it is compared with.
        draws: Of the bootstrap.
        chance: Its random numbers; always the same where none is given.
    """
    seeds = sorted(row.keys() & base.keys())
    if not seeds:
        return None
    chance = np.random.default_rng(0) if chance is None else chance
    images = base[seeds[0]].images
    whole = tuple(row[s].score() - base[s].score() for s in seeds)
    found = np.empty(draws)
    for draw in range(draws):
        times = np.bincount(chance.integers(images, size=images), minlength=images)
        picked = chance.choice(seeds, len(seeds)).tolist()
        by_seed = {seed: row[seed].score(times) - base[seed].score(times) for seed in set(picked)}
        found[draw] = np.mean([by_seed[seed] for seed in picked])
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(found, [tail, 100 - tail])
    return Difference(whole, float(low), float(high))
