"""How the C library gives out memory: a matter of a program, not of a function."""

from __future__ import annotations

import ctypes
import os

_MMAP_MAX, _TRIM_THRESHOLD = -4, -1  # parameters of mallopt(3)


def keep_freed_memory() -> bool:
    """Let this process use again what it has freed, instead of giving it back; False: it can't.

    glibc hands large blocks back to the system one by one. Every step of a training on a CPU then
    gets its activations as new, empty pages: a fifth of its time. Kept, they make peaks a few
    percent higher, and stay with the process until its end (docs/benchmarks.md has the figures).
    Does nothing where the user has set the allocator, or the C library is another.
    """
    set_by_user = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    if set_by_user or os.name != "posix":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, -1))
