"""How an image was placed in the network's input; the geometry itself lives in `ops.letterbox`."""

from __future__ import annotations

from yolor_gp.ops.letterbox import Letterbox

__all__ = ["Letterbox"]
