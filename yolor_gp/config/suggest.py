"""Did-you-mean."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str], most: int = 1) -> str:
    """`"; did you mean 'ELAN'?"` for the nearest known words, or `""` when none is near."""
    by_lower = {name.lower(): name for name in known}
    nearest = difflib.get_close_matches(word.lower(), by_lower, n=most)
    names = [f"'{by_lower[name]}'" for name in nearest]
    words = " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
    return f"; did you mean {words}?" if nearest else ""
