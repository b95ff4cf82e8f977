"""What OpenCV prints by itself: a matter of a program, not of a function."""

from __future__ import annotations

import os
import sys

_LEVEL = "OPENCV_LOG_LEVEL"


def silence_opencv() -> None:
    """Keep OpenCV's own lines off the screen: what it cannot read is reported here.

    Loaded already or not: a program need not load it to be quiet. A level that the user has set
    stays.
    """
    if _LEVEL in os.environ:
        return
    os.environ[_LEVEL] = "SILENT"
    if (cv2 := sys.modules.get("cv2")) is not None:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
