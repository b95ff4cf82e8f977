"""The size of the network's input, square or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SMALLEST_SIDE = 32
"""Of an input, in pixels."""


class ImageSize(NamedTuple):
    """Of a picture as the network sees it, in pixels.

    Where people write it, one number is a square and two are width and height; inside, as of
    arrays, the height comes first.
    """

    height: int
    width: int

    @classmethod
    def of(cls, value: AnySize) -> Self:
        """Of what people write: 640, (640, 384), "640", "640x384", ("640", "384").

        Raises:
            ValueError: For anything else, and for sides below one pixel.
        """
        if isinstance(value, cls):
            return value
        words = [value] if isinstance(value, int) else value
        parts = words.split("x") if isinstance(words, str) else list(words)
        sides = [number for part in parts if (number := _whole(part)) > 0]
        if len(sides) != len(parts) or not 1 <= len(sides) <= 2:
            found = value if isinstance(value, str) else " ".join(map(str, parts))
            raise ValueError(f"expected one side, or width and height, in pixels, found '{found}'")
        return cls(sides[-1], sides[0])

    @property
    def plain(self) -> int | list[int]:
        """As people write it: one side of a square, else width and height."""
        return self.height if self.is_square else [self.width, self.height]

    @property
    def is_square(self) -> bool:
        """Whether both sides are equal."""
        return self.height == self.width

    @property
    def pixels(self) -> int:
        """Their number."""
        return self.height * self.width

    def fit(self, sizes: NDArray[np.integer]) -> NDArray[np.float64]:
        """f64[N], by what pictures of `sizes`, i64[N, 2] (height, width), are scaled to fit in."""
        sides = sizes.clip(1)
        factors: NDArray[np.float64] = self.height / sides[:, 0]
        return factors.clip(max=self.width / sides[:, 1])

    def __str__(self) -> str:
        """`640` or `640x384`: width, then height."""
        return str(self.height) if self.is_square else f"{self.width}x{self.height}"


AnySize = int | str | Sequence[int] | Sequence[str] | ImageSize
"""What `ImageSize.of` takes."""


def _whole(part: object) -> int:
    """A whole number, -1 for what is none."""
    try:
        number = int(str(part))
    except ValueError:
        return -1
    return -1 if isinstance(part, bool) else number
