"""How the processes of one start find each other in a store that outlives them.

torchrun keeps one key-value store over its restarts (and with several machines no two agents need
count restarts alike), so what a killed process wrote is still there. Processes therefore agree on a
token that no earlier start can have known, and keep all else under it.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Protocol


class Store(Protocol):
    """The part of torch's key-value store that is used."""

    def set(self, key: str, value: str, /) -> None: ...  # noqa: D102
    def get(self, key: str, /) -> bytes: ...  # noqa: D102
    def check(self, keys: list[str], /) -> bool: ...  # noqa: D102


_PAUSE = 0.05
_PATIENCE = 2.0


def agree_on_token(store: Store, rank: int, size: int, timeout: float) -> str:
    """The same fresh token on all `size` processes, once all are there.

    Raises:
        TimeoutError: Naming the ranks that are missing after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    return _lead(store, size, deadline) if rank == 0 else _follow(store, rank, deadline)


def _lead(store: Store, size: int, deadline: float) -> str:
    """Invite whoever has said hello, until everybody invited by their latest hello accepts.

    Raises:
        TimeoutError: When some have not come by the deadline.
    """
    others = range(1, size)
    missing = list(others)
    while time.monotonic() < deadline:
        hellos = {str(rank): _read(store, f"hello/{rank}") for rank in others}
        token = uuid.uuid4().hex
        missing = [rank for rank in others if hellos[str(rank)] is None]
        if not missing:
            store.set("invitation", json.dumps({"token": token, "hellos": hellos}))
            patience = min(time.monotonic() + _PATIENCE, deadline)
            while True:
                missing = [rank for rank in others if not store.check([f"accept/{token}/{rank}"])]
                if not missing:
                    store.set(f"start/{token}", "1")
                    return token
                if time.monotonic() > patience:
                    break
                time.sleep(_PAUSE)
        time.sleep(_PAUSE)
    raise TimeoutError(f"rank {', '.join(map(str, missing))} of {size} did not come")


def _follow(store: Store, rank: int, deadline: float) -> str:
    """Say hello under a name of one's own; accept the invitation that knows it.

    Raises:
        TimeoutError: When rank 0 has not come by the deadline.
    """
    name = uuid.uuid4().hex
    store.set(f"hello/{rank}", name)
    while time.monotonic() < deadline:
        invitation = json.loads(_read(store, "invitation") or "{}")
        if invitation.get("hellos", {}).get(str(rank)) == name:
            token = str(invitation["token"])
            store.set(f"accept/{token}/{rank}", "1")
            if store.check([f"start/{token}"]):
                return token
        time.sleep(_PAUSE)
    raise TimeoutError("rank 0 did not come")


def _read(store: Store, key: str) -> str | None:
    return store.get(key).decode() if store.check([key]) else None
