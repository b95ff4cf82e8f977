from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
from yolor_gp.ops.allocator import keep_freed_memory

kept = {call}

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(1 << 26, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
print(int(kept), faults())
"""


def run(call: str, **environment: str) -> tuple[bool, int]:
    """Whether memory is kept, and how many pages a second array of 64 MiB has to ask for."""
    words = [sys.executable, "-c", PROGRAM.format(call=call)]
    done = subprocess.run(
        words, capture_output=True, text=True, check=True, env={"PATH": "", **environment}
    )
    kept, faults = map(int, done.stdout.split())
    return bool(kept), faults


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's C library")
def test_freed_memory_is_used_again() -> None:
    given_back = run("False")[1]
    kept, asked = run("keep_freed_memory()")
    if not kept:
        pytest.skip("a C library without mallopt")
    assert asked < given_back / 100


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's C library")
def test_the_users_own_settings_stay() -> None:
    kept, _ = run("keep_freed_memory()", MALLOC_TRIM_THRESHOLD_="1000000")
    assert not kept
