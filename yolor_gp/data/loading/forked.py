"""Processes forked from a fresh interpreter, with a socket to each.

A new interpreter imports everything once and forks them, instead of this process, which may hold
threads. A worker ends with its connection: when it is closed here, or this process gone.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

_START = (
    "import json, sys; sys.path[:], handles, plugins = map(json.loads, sys.argv[1:]);"
    " from {module} import main; from yolor_gp.plugins import load_plugins;"
    " load_plugins(plugins); main(handles)"
)


def start(
    module: str, count: int, plugins: Sequence[str] = ()
) -> tuple[subprocess.Popen[bytes], list[socket.socket]]:
    """Begin `count` processes that run `main` of `module`; the interpreter, and our sockets.

    module: of this package; its `main` takes the handles of the sockets' other ends and gives them
    to `serve`.
    plugins: imported before the processes are forked, which so share their memory.
    """
    pairs = [socket.socketpair() for _ in range(count)]
    theirs = [their.fileno() for _, their in pairs]
    # In a session of their own: Ctrl-C in a terminal reaches the trainer alone, which decides.
    # -P: by itself python would import json.py of the working folder, if there is one.
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _START.format(module=module),
         json.dumps(sys.path), json.dumps(theirs), json.dumps(plugins)],
        pass_fds=theirs,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    for _, their in pairs:
        their.close()
    return process, [our for our, _ in pairs]


def serve(handles: Sequence[int], work: Callable[[int], None]) -> None:
    """Fork a worker for each socket; wait for them, so that none stays a zombie.

    work: is given its own handle.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for handle in handles:
        if os.fork() == 0:
            for other in handles:
                if other != handle:
                    os.close(other)
            try:
                work(handle)
            except (EOFError, ConnectionError):
                pass  # the loader is gone
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(0)
    for handle in handles:
        os.close(handle)
    for _ in handles:
        os.wait()


def end(
    process: subprocess.Popen[bytes],
    channels: Sequence[socket.socket],
    connections: Sequence[Connection],
) -> None:
    """Close the sockets, which ends the workers; kill what has not ended after ten seconds."""
    for connection, channel in zip(connections, channels, strict=True):
        connection.close()
        channel.close()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
