"""Whether other work runs on this machine, so that times measured here are too long."""

from __future__ import annotations

import os

_OWN_SHARE = 1.5
"""What this process alone may make of the load, by cores: one thread a core, and a little more."""


def busy_words() -> str:
    """ " (other work runs here: ...)" on a busy machine, "" elsewhere or where it is not told."""
    if not hasattr(os, "getloadavg"):
        return ""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load <= _OWN_SHARE * cores:
        return ""
    return f" (other work runs here, load {load:.1f} on {cores} cores: times are too long)"
