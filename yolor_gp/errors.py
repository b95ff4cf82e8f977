"""The one kind of error that is the user's to mend: printed without a traceback, exit code 2."""

from __future__ import annotations

from collections.abc import Iterable


class UserError(Exception):
    """Bad input, stated as one line per problem: what, where, what was expected, what to do.

    Every problem of a file is collected before this is raised, so that one run shows all of them.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def raise_problems(problems: Iterable[str]) -> None:
    """Say all `problems` at once; do nothing when there are none.

    Raises:
        UserError: When there are any, one for all.
    """
    collected = tuple(problems)
    if collected:
        raise UserError(*collected)


EXIT_LOST_PEER = 70
"""Exit code of a process that ends because another one is gone."""


class LostPeerError(Exception):
    """Another process of the run is gone; the message names it."""
