"""What COCO 2017 consists of, as published."""

from __future__ import annotations

from dataclasses import dataclass

BASE = "http://images.cocodataset.org"
SAMPLE = 200
"""Images of each part that are decoded by the check."""


@dataclass(frozen=True)
class Archive:
    """A published file. `to`: where, inside the folder, its members go."""

    path: str
    bytes: int
    md5: str
    to: str

    @property
    def name(self) -> str:
        """Of the file."""
        return self.path.rpartition("/")[2]


ARCHIVES = (
    Archive("annotations/annotations_trainval2017.zip", 252_907_541,
            "f4bbac642086de4f52a3fdda2de5fa2c", "."),
    Archive("zips/val2017.zip", 815_585_330, "442b8da7639aecaf257c1dceb8ba8c80", "images"),
    Archive("zips/train2017.zip", 19_336_861_798, "cced6f7f71b7629ddf16f17bbcfab6b2", "images"),
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """What one part must hold."""

    name: str
    images: int
    annotations: int


PARTS = (Part("val2017", 5_000, 36_781), Part("train2017", 118_287, 860_001))
