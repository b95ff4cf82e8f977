"""`train.py`: train a detector, or go on with a run."""

from __future__ import annotations

from collections.abc import Sequence

from yolor_gp.commands.train_arguments import parse_train_arguments
from yolor_gp.detection.requests import train


def main(arguments: Sequence[str] | None = None) -> int:
    """0: finished; 130, 143: stopped by a signal; 4: too many non-finite steps; 70: a lost peer."""
    return train(parse_train_arguments(arguments)).exit_code
