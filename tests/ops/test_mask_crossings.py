from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from yolor_gp.ops.mask_crossings import _Edge

BELOW_ONE = float(np.nextafter(np.float32(1), np.float32(0)))
PROBABILITY = st.floats(0, 1, width=32)
WEIGHT = st.floats(0, BELOW_ONE, width=32)


@settings(max_examples=1000)
@given(left=PROBABILITY, right=PROBABILITY, weight=WEIGHT)
@example(left=1.0, right=float(np.nextafter(np.float32(0.3), np.float32(1))), weight=BELOW_ONE)
def test_a_value_lies_between_the_ends_of_its_edge(
    left: float, right: float, weight: float
) -> None:
    """On another side of the threshold it would leave a mask with a change too many."""
    strips = np.array([[left], [right]], np.float32)
    zero = np.zeros(1, np.int64)
    (value,) = _Edge.between(strips, zero, zero).at(np.array([weight], np.float32))
    assert min(left, right) <= value <= max(left, right)
