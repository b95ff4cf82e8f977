"""The number formats that settings may name."""

from __future__ import annotations

from typing import Literal

from yolor_gp.errors import UserError

PrecisionName = Literal["auto", "bfloat16", "float16", "float32"]
PRECISIONS = ("auto", "bfloat16", "float16", "float32")


def check_precision(name: str) -> None:
    """Refuse what is no name of a precision.

    Raises:
        UserError: With those there are.
    """
    if name not in PRECISIONS:
        raise UserError(f"--precision {name}: expected one of {', '.join(PRECISIONS)}")
