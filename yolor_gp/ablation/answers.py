"""What a classifier said of every image of a validation, right or wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yolor_gp.errors import UserError


@dataclass(frozen=True)
class Answers:
    """right: bool[images], in the order of the images' names."""

    right: NDArray[np.bool_]

    @property
    def images(self) -> int:
        """How many were asked for."""
        return len(self.right)

    def score(self, times: NDArray[np.int64] | None = None) -> float:
        """The share of right ones when image i is drawn times[i] times, None: each once."""
        weights = np.ones(self.images) if times is None else times
        return float(self.right @ weights / max(weights.sum(), 1))


def read_answers(predictions: Path) -> Answers:
    """What `classify.py val --save-json` wrote.

    Raises:
        UserError: When it cannot be read.
    """
    try:
        rows = json.loads(predictions.read_text(encoding="utf-8"))
        named = sorted((row["image"], row["label"] == row["predicted"]) for row in rows)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{predictions}: cannot be read ({error})") from None
    return Answers(np.array([right for _, right in named], np.bool_))
