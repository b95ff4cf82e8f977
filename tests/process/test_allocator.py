from __future__ import annotations

import platform
import subprocess
import sys

import pytest

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a matter of glibc alone")

PROGRAM = """
import resource
import numpy as np
from yolor_gp.commands.program import exit_code
from yolor_gp.process.allocator import keep_freed_memory

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


@glibc
@pytest.mark.parametrize("call", ["keep_freed_memory()", "exit_code(lambda words: 1)"])
def test_freed_memory_is_used_again(call: str) -> None:
    """Also in a command, which keeps it by itself."""
    given_back = run("False")[1]
    kept, asked = run(call)
    assert kept and asked < given_back / 100


@glibc
def test_the_users_own_settings_stay() -> None:
    kept, _ = run("keep_freed_memory()", MALLOC_TRIM_THRESHOLD_="1000000")
    assert not kept
