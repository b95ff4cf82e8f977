"""Did-you-mean."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`"; did you mean 'ELAN'?"` for the nearest known word, or `""` when none is near."""
    by_lower = {name.lower(): name for name in known}
    nearest = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f"; did you mean '{by_lower[nearest[0]]}'?" if nearest else ""
