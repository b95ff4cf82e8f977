"""A model file for tests of what happens around a network."""

from __future__ import annotations

from pathlib import Path

TINY = str(Path(__file__).with_name("tiny.yaml"))
"""Two levels of stride 8 and 16, four classes, masks."""
