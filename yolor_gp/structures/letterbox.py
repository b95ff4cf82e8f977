"""How an image was placed in the network's input: resized, then padded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Letterbox:
    """The geometry of one letterboxed image; all sizes are (height, width) in pixels.

    original_size: before resizing; scaled_size: after resizing; output_size: after padding;
    top, left: where the resized image begins in the padded one.
    """

    original_size: tuple[int, int]
    scaled_size: tuple[int, int]
    output_size: tuple[int, int]
    top: int
    left: int

    def __post_init__(self) -> None:
        fits = (
            self.top + self.scaled_size[0] <= self.output_size[0]
            and self.left + self.scaled_size[1] <= self.output_size[1]
        )
        if not fits or min(*self.original_size, *self.scaled_size) < 1 or min(self.offset) < 0:
            raise ValueError(f"impossible letterbox geometry: {self}")

    @property
    def offset(self) -> tuple[int, int]:
        """(left, top) in pixels of the padded image."""
        return self.left, self.top

    @property
    def scale(self) -> tuple[float, float]:
        """(x, y) factors from original to resized pixels."""
        return (
            self.scaled_size[1] / self.original_size[1],
            self.scaled_size[0] / self.original_size[0],
        )
