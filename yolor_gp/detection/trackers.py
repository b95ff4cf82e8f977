"""The trackers of the package `trackers`, and where they differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Tracker(NamedTuple):
    """name: of the class in `trackers`; sure, new: its word for the score from which a detection
    counts as sure, and from which it may begin an object; sees_pictures: to follow the camera.
    """

    name: str
    sure: str | None = "high_conf_det_threshold"
    new: str | None = "track_activation_threshold"
    sees_pictures: bool = False


TRACKERS: Mapping[str, Tracker] = {
    "bytetrack": Tracker("ByteTrackTracker"),
    "botsort": Tracker("BoTSORTTracker", sees_pictures=True),
    "ocsort": Tracker("OCSORTTracker", new=None),
    "cbiou": Tracker("CBIoUTracker"),
    "sort": Tracker("SORTTracker", sure=None),
}
