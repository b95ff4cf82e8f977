"""Identities in videos: which detection of a frame is an object that was seen before.

The trackers are those of the package `trackers` (Roboflow, Apache-2.0).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from yolor_gp.config.suggest import did_you_mean
from yolor_gp.detection.trackers import TRACKERS
from yolor_gp.errors import UserError
from yolor_gp.media.sources import Frame
from yolor_gp.media.video import DEFAULT_FPS
from yolor_gp.structures.detections import Detections

LEAST_SCORE = 0.1
"""Of detections that a tracker is shown: what is doubtful alone may go on with a known object."""


class Tracking:
    """Gives the objects of one sequence after another identities, counted from 1.

    A sequence is a video, a stream, or consecutive images of one folder.

    Args:
        name: One of `TRACKERS`.
        confidence: From which score on a detection begins an object. Less sure ones, down to
            `LEAST_SCORE`, only go on with one.

    Raises:
        UserError: When there is no such tracker, or `trackers` is not installed.
    """

    def __init__(self, name: str, confidence: float) -> None:
        if name not in TRACKERS:
            known = ", ".join(TRACKERS)
            raise UserError(
                f"--track {name}: no such tracker{did_you_mean(name, TRACKERS)} (known: {known})"
            )
        try:
            import supervision
            import trackers
        except ImportError:
            raise UserError(
                f"--track {name}: needs the package trackers; pip install 'yolor_gp[track]'"
            ) from None
        self._kind, self._confidence = TRACKERS[name], confidence
        self._class: Any = getattr(trackers, self._kind.name)
        self._detections: Any = supervision.Detections
        self._sequence: str | None = None

    def __call__(self, frame: Frame, detections: Detections) -> Detections:
        """Those that are known objects, with their ids; frames come in their order."""
        if (
            sequence := sequence_of(frame.path, is_video=frame.video is not None)
        ) != self._sequence:
            self._sequence, self._tracker = sequence, self._begun(frame)
        given = self._detections(
            xyxy=detections.boxes.numpy(),
            confidence=detections.scores.numpy(),
            class_id=detections.labels.numpy(),
            data={"row": np.arange(len(detections))},
        )
        picture = np.ascontiguousarray(frame.image[..., ::-1]) if self._kind.sees_pictures else None
        found = self._tracker.update(given, frame=picture, timestamp=frame.seconds)
        known = found.tracker_id >= 0
        rows = np.asarray(found.data.get("row", []), np.int64)[known]
        order = np.argsort(rows)  # the best first, as they came
        ids = torch.from_numpy(found.tracker_id[known][order].astype(np.int64) + 1)
        return replace(detections.select(torch.from_numpy(rows[order])), ids=ids)

    def _begun(self, frame: Frame) -> Any:
        """A tracker that knows nothing yet."""
        limits = {word: self._confidence for word in (self._kind.sure, self._kind.new) if word}
        fps = DEFAULT_FPS if frame.video is None else frame.video.fps
        return self._class(frame_rate=fps, **limits)


def sequence_of(path: str, *, is_video: bool) -> str:
    """What names the sequence that a frame belongs to: its video, or the folder of its image."""
    return path if is_video else str(Path(path).parent)
