from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from yolor_gp.engine.signals import StopRequest, exit_code

PROGRAM = """
import time
from yolor_gp.engine.signals import StopRequest
with StopRequest().installed() as stop:
    print("ready", flush=True)
    while True:
        time.sleep(0.01)
        if stop.received:
            print("received", stop.received, flush=True)
            time.sleep({after})
            raise SystemExit(128 + stop.received)
"""


def test_codes_are_those_of_a_shell() -> None:
    assert exit_code(signal.SIGTERM) == 143
    assert exit_code(signal.SIGINT) == 130


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest().installed() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.received == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(("second", "code"), [(False, 143), (True, -signal.SIGTERM)])
def test_a_second_signal_ends_at_once(second: bool, code: int) -> None:
    program = PROGRAM.format(after=30 if second else 0)
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "received 15\n"
        start = time.monotonic()
        if second:
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == code
        assert time.monotonic() - start < 5
