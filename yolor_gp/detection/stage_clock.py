"""Where the time of a validation goes: seconds by stage."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import torch

Item = TypeVar("Item")


@dataclass
class StageClock:
    """Adds up seconds by the name of a stage; waits for the device at the end of each.

    Attributes:
        device: Whose work belongs to the stage that asked for it; None: nothing is waited for.
        seconds: By stage, in the order in which they were first met.
    """

    device: torch.device | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Around the work of a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            if self.device is not None and self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            self._add(name, start)

    def waiting(self, items: Iterable[Item], name: str) -> Iterator[Item]:
        """The items; the time until each is there belongs to the stage.

        Yields:
            The items as they come.
        """
        start = time.perf_counter()
        for item in items:
            self._add(name, start)
            yield item
            start = time.perf_counter()

    def words(self, images: int) -> str:
        """ "1.2 ms load, 30.1 ms network, ... an image"."""
        parts = [f"{1000 * spent / images:.1f} {name}" for name, spent in self.seconds.items()]
        return f"ms an image: {', '.join(parts)}"

    def _add(self, name: str, start: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
