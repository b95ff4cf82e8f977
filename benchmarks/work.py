"""A row of the table: what is measured, for whom, and what was promised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Target:
    """What a ratio must reach.

    "at least" N: ours must be N times as fast; "at most" N: ours may take N times the time.
    peers: whom it holds against, None for everybody in the row.
    """

    kind: Literal["at least", "at most"]
    factor: float
    peers: tuple[str, ...] | None = None

    def __str__(self) -> str:
        sign = ">=" if self.kind == "at least" else "<="
        return f"{sign} {self.factor:g}x"

    def met(self, ratio: float) -> bool:
        """Whether a ratio of this kind is good enough."""
        return ratio >= self.factor if self.kind == "at least" else ratio <= self.factor


@dataclass(frozen=True)
class Work:
    """ours, peers: set-up functions "module:name" that take `Settings` and `arguments`.

    rate: the measured values are amounts a second, not seconds; scale: from the measured value to
    `unit`; warm: a first run of each does not count; settle: seconds of rest between turns, for
    contenders that work ahead; agree: (our result, the peer's) -> a sentence on how they agree,
    raises AssertionError where they must and do not; check: the same for our result alone.
    """

    name: str
    title: str
    ours: str
    peers: Mapping[str, str]
    unit: str
    target: Target | None
    repeats: int = 5
    rate: bool = False
    scale: float = 1.0
    settle: float = 0.0
    warm: bool = True
    devices: tuple[str, ...] = ("cpu",)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    peer_arguments: Mapping[str, Any] | None = None
    agree: Callable[[Any, Any], str] | None = None
    check: Callable[[Any], str] | None = None


@dataclass(frozen=True)
class Row:
    """One line of the result; `peer` and what follows from it is None where there is no peer.

    ours, peer: medians in `unit`; ratio: see `ratio_of`; ours_range, peer_range: lowest and
    highest run; processor_ratio: `ratio` if processor seconds were measured instead.
    """

    work: str
    title: str
    ours: float | None
    peer: float | None
    peer_name: str | None
    ratio: float | None
    target: str | None
    met: bool | None
    unit: str
    ours_range: tuple[float, float] | None = None
    peer_range: tuple[float, float] | None = None
    processor_ratio: float | None = None
    note: str = ""


def ratio_of(work: Work, ours: float, peer: float) -> float:
    """In the sense of the work's target; without one, how the medians compare as they stand."""
    if work.target is None:
        return ours / peer
    speed_up = ours / peer if work.rate else peer / ours
    return speed_up if work.target.kind == "at least" else 1 / speed_up
