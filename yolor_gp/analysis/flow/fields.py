"""What the cells of a map depend on: intervals along one axis of the image, by channel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_LENGTH = 16384  # pixels of the axis
_PERIOD = 128  # pixels in the middle that are looked at: more than any stride


@dataclass(frozen=True)
class Field:
    """First and last pixel of every cell along one axis: f64[n] each, infinite after pooling."""

    first: NDArray[np.float64]
    last: NDArray[np.float64]

    @property
    def size(self) -> NDArray[np.float64]:
        """Pixels from the first to the last: f64[n]."""
        return self.last - self.first + 1

    def window(self, kernel: int, stride: int, padding: int, dilation: int) -> Field:
        """What a convolution or pooling makes of it; beyond the edge the edge goes on."""
        count = max((len(self.first) + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1, 1)
        begin = np.arange(count) * stride - padding
        lowest = begin.clip(0, len(self.first) - 1)
        highest = (begin + dilation * (kernel - 1)).clip(0, len(self.first) - 1)
        return Field(self.first[lowest], self.last[highest])

    def upsampled(self, factor: float, *, linear: bool) -> Field:
        """Every cell stands for `factor` cells; linear: and reads its neighbour."""
        scaled = np.arange(round(len(self.first) * factor)) / factor
        if not linear:
            index = scaled.astype(np.int64)
            return Field(self.first[index], self.last[index])
        source = (scaled + 0.5 / factor - 0.5).clip(0, len(self.first) - 1)
        low = np.floor(source).astype(np.int64)
        return Field(self.first[low], self.last[np.ceil(source).astype(np.int64)])

    def everything(self) -> Field:
        """What pooling over the whole map makes of it."""
        return Field(np.full_like(self.first, -np.inf), np.full_like(self.first, np.inf))

    def every(self, start: int | None, step: int) -> Field:
        """Only each `step`-th cell."""
        return Field(self.first[start::step], self.last[start::step])

    def largest(self) -> float:
        """The largest size in the middle, in pixels."""
        cells = max(_PERIOD * len(self.first) // _LENGTH, 1)
        middle = len(self.first) // 2
        return float(self.size[middle : middle + cells].max())


@dataclass(frozen=True)
class Fields:
    """The union of all pathways, and the one that has seen least."""

    union: Field
    least: Field

    def each(self, change: Callable[[Field], Field]) -> Fields:
        """The same change of both."""
        return Fields(change(self.union), change(self.least))


@dataclass(frozen=True)
class Channels:
    """The channels of a map in order, as runs of channels that depend on the same.

    parts: The number of channels and the fields of each run.
    """

    parts: tuple[tuple[int, Fields], ...]

    @classmethod
    def of_image(cls) -> Channels:
        """Three channels whose cells are pixels."""
        pixels = np.arange(_LENGTH, dtype=np.float64)
        return cls(((3, Fields(Field(pixels, pixels), Field(pixels, pixels))),))

    @property
    def count(self) -> int:
        """Of all channels."""
        return sum(count for count, _ in self.parts)

    def joined(self) -> Fields:
        """All channels together, as what reads all of them sees them."""
        return _together([fields for _, fields in self.parts])

    def mixed(self) -> Channels:
        """The same number of channels in an order that is not known."""
        return Channels(((self.count, self.joined()),))

    def each(self, change: Callable[[Field], Field]) -> Channels:
        """The same change of every run."""
        return Channels(tuple((count, fields.each(change)) for count, fields in self.parts))

    def between(self, start: int | None, stop: int | None) -> Channels:
        """Some consecutive channels, as a slice names them; all where there would be none."""
        first, last, _ = slice(start, stop).indices(self.count)
        found, place = [], 0
        for count, fields in self.parts:
            inside = min(place + count, last) - max(place, first)
            if inside > 0:
                found.append((inside, fields))
            place += count
        return Channels(tuple(found)) if found else self


def beside(maps: Sequence[Channels]) -> Channels:
    """Maps one after the other along their channels."""
    return Channels(tuple(part for each in maps for part in each.parts))


def over(maps: Sequence[Channels]) -> Channels:
    """Maps added up: channel by channel where they have equally many, else all with all."""
    if len({each.count for each in maps}) > 1:
        count = max(each.count for each in maps)
        return Channels(((count, _together([each.joined() for each in maps])),))
    cuts = {0}
    for each in maps:
        cuts |= set(np.cumsum([count for count, _ in each.parts]).tolist())
    return Channels(
        tuple(
            (stop - start, _together([each.between(start, stop).joined() for each in maps]))
            for start, stop in pairwise(sorted(cuts))
        )
    )


def _together(fields: Sequence[Fields]) -> Fields:
    if len(fields) == 1:
        return fields[0]
    return Fields(_union([each.union for each in fields]), _least([each.least for each in fields]))


def _union(fields: Sequence[Field]) -> Field:
    alike = _alike(fields)
    return Field(np.min([f.first for f in alike], axis=0), np.max([f.last for f in alike], axis=0))


def _least(fields: Iterable[Field]) -> Field:
    """The one that has seen least; of pooled ones, which see everything, the other."""
    return min(_alike(list(fields)), key=Field.largest)


def _alike(fields: Sequence[Field]) -> list[Field]:
    """Of one length: a map that was pooled to one cell is spread over the others."""
    longest = max(len(field.first) for field in fields)
    return [
        field if len(field.first) == longest
        else Field(np.resize(field.first, longest), np.resize(field.last, longest))
        for field in fields
    ]  # fmt: skip
