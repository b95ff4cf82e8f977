"""What OpenCV prints by itself: a matter of a program, not of a function."""

from __future__ import annotations

import cv2


def silence_opencv() -> None:
    """Keep OpenCV's own lines off the screen: what it cannot read is reported here."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
