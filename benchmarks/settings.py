"""What a run of the benchmark is told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Travels to the contenders' processes, so it holds plain values only.

    scratch: a folder for inputs and outputs; images, annotations: a COCO data set, None for the
    built-in shapes; weights: a trained network for the validation row; full: the sizes of the
    published table where the default is smaller; profile: a folder for traces.
    """

    scratch: Path
    images: Path | None = None
    annotations: Path | None = None
    weights: Path | None = None
    device: str = "cpu"
    full: bool = False
    profile: Path | None = None
    threads: int = os.cpu_count() or 1
    image_size: int = 640
    batch_size: int = 16
    workers: int = min(os.cpu_count() or 1, 8)
