from __future__ import annotations

import os
import subprocess
import sys

import pytest

_LOOK = 'cv2.imread("no-such.png")'
_SILENCE = "from yolor_gp.process.opencv import silence_opencv; silence_opencv()"


def said(program: str, **words: str) -> str:
    """What a new process says on stderr."""
    own = {name: value for name, value in os.environ.items() if name != "OPENCV_LOG_LEVEL"} | words
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=own
    )
    return done.stderr


@pytest.mark.parametrize(
    "program", [f"{_SILENCE}; import cv2; {_LOOK}", f"import cv2; {_SILENCE}; {_LOOK}"]
)
def test_opencv_is_silent_loaded_before_or_after(program: str) -> None:
    assert said(program) == ""


def test_a_level_of_the_users_stays() -> None:
    assert "no-such.png" in said(f"import cv2; {_LOOK}")  # else nothing is shown by the others
    program = f"{_SILENCE}; import cv2; {_LOOK}"
    assert "no-such.png" in said(program, OPENCV_LOG_LEVEL="WARNING")
