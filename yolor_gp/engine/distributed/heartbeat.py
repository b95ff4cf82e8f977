"""Every process says that it lives, and notices when another no longer does.

A lost peer otherwise shows as a collective that hangs until its time-out (600 s by default), or as
a transport error that names a socket. Here one that fails is named within 2 s, and a silent one
after 120; a beat and a look at 63 others take 2 ms. Knows only a key-value store; `distributed`
brings one.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from yolor_gp.engine.distributed.rendezvous import Store

RUNNING, FINISHED, FAILED = "running", "finished", "failed"


@dataclass
class _Peer:
    """What is known of another process: its last words and when they last changed."""

    last: str
    since: float
    host: str = "?"
    pid: int = 0
    state: str = RUNNING
    reason: str = ""


class Heartbeat(threading.Thread):
    """Beats every `interval` seconds; calls `on_loss(message)` once when a peer is lost.

    A peer is lost when it said that it failed, or has been silent for `timeout` seconds.
    """

    def __init__(
        self,
        store: Store,
        rank: int,
        size: int,
        *,
        timeout: float,
        on_loss: Callable[[str], None],
        prefix: str = "",
    ) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self.timeout = timeout
        self.interval = min(2.0, timeout / 10)
        self._store, self._rank, self._size, self._prefix = store, rank, size, prefix
        self._on_loss = on_loss
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._count = 0
        now = time.monotonic()
        self._peers = {other: _Peer("", now) for other in range(size) if other != rank}
        self.say(RUNNING)

    def say(self, state: str, reason: str = "") -> None:
        """Beat once, with this process's state."""
        with self._lock:
            self._count += 1
            words = {
                "count": self._count,
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "state": state,
                "reason": reason,
            }
            self._store.set(self._key(self._rank), json.dumps(words))

    def run(self) -> None:
        """Beat and watch until `stop`; a store that no longer answers is a lost peer too."""
        while not self._stop.wait(self.interval):
            try:
                self.say(RUNNING)
                message = self.look()
            except RuntimeError as error:
                reason = str(error).strip().splitlines()[0]
                message = f"the process that holds the store no longer answers ({reason})"
            if message is not None and not self._stop.is_set():
                self._on_loss(message)
                return

    def look(self) -> str | None:
        """Read every peer's words; the message of the first lost one, or None."""
        now = time.monotonic()
        for other in self._peers:
            self._read(other, now)
        return self._lost(self.timeout, now)

    def explain(self, patience: float) -> str | None:
        """After a failed collective: who is gone? Looks for up to `patience` seconds."""
        silent = 3 * self.interval
        start = time.monotonic()
        while (now := time.monotonic()) - start <= max(patience, silent + self.interval):
            try:
                for other in self._peers:
                    self._read(other, now)
            except RuntimeError:
                return "the process that holds the store no longer answers"
            message = self._lost(silent, now)
            if message is not None:
                return message
            time.sleep(self.interval / 2)
        return None

    def stop(self, state: str = FINISHED, reason: str = "") -> None:
        """Say a last word and stop watching."""
        self._stop.set()
        try:
            self.say(state, reason)
        except RuntimeError:
            return  # nobody is left to hear it

    def _key(self, rank: int) -> str:
        return f"{self._prefix}heartbeat/{rank}"

    def _read(self, other: int, now: float) -> None:
        key, peer = self._key(other), self._peers[other]
        with self._lock:
            if not self._store.check([key]):
                return
            text = self._store.get(key).decode()
        if text != peer.last:
            words = json.loads(text)
            peer.last, peer.since = text, now
            peer.host, peer.pid = words["host"], words["pid"]
            peer.state, peer.reason = words["state"], words["reason"]

    def _lost(self, timeout: float, now: float) -> str | None:
        for other, peer in self._peers.items():
            who = f"rank {other} of {self._size} (host {peer.host}, process {peer.pid})"
            if peer.state == FAILED:
                return f"{who} failed: {peer.reason}"
            if peer.state == RUNNING and now - peer.since > timeout:
                return f"{who} has not been heard of for {now - peer.since:.0f} s"
        return None
