"""`train.py`: train a detector, or go on with a run.

Only flags that were given are kept, so that a resumed run can tell what contradicts it.
"""

from __future__ import annotations

from collections.abc import Sequence

from yolor_gp.detection.requests import request_of, train
from yolor_gp.engine.requests import TrainRequest
from yolor_gp.flags.run_flags import given_flags
from yolor_gp.flags.train import parser


def main(arguments: Sequence[str] | None = None) -> int:
    """0: finished; 130, 143: stopped by a signal; 4: too many non-finite steps; 70: a lost peer."""
    return train(requested(arguments)).exit_code


def requested(arguments: Sequence[str] | None) -> TrainRequest:
    """What is to be trained.

    Raises:
        UserError: For anything that is not understood.
    """
    return request_of(given_flags(parser().parse(arguments)))
