"""YOLOv7 once more, written from its published table of layers, in the layout of numbered files.

Independent of the package: every layer has a number, also those without weights, and names what it
reads by number. Channels are those of the full network times `width`.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

Row = tuple[str, int, int, int, tuple[int, ...]]
"""Kind, channels of the full network, kernel, stride, and the numbers of the layers read."""


class Convolution(nn.Module):
    """Convolution and normalisation, then SiLU if asked for."""

    def __init__(self, given: int, out: int, kernel: int, stride: int, silu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(given, out, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=1e-3)
        self.silu = silu

    def forward(self, x: Tensor) -> Tensor:
        """A map."""
        y = cast(Tensor, self.bn(self.conv(x)))
        return nn.functional.silu(y) if self.silu else y


class Two(nn.Module):
    """A 3x3 and a 1x1 side by side, added."""

    def __init__(self, given: int, out: int) -> None:
        super().__init__()
        self.conv1 = Convolution(given, out, 3, 1, silu=False)
        self.conv2 = Convolution(given, out, 1, 1, silu=False)

    def forward(self, x: Tensor) -> Tensor:
        """A map."""
        return nn.functional.silu(self.conv1(x) + self.conv2(x))


class Pyramid(nn.Module):
    """Pooling by 5, 9 and 13 side by side."""

    def __init__(self, given: int, out: int) -> None:
        super().__init__()
        self.pre_conv = nn.Sequential(
            Convolution(given, out, 1, 1), Convolution(out, out, 3, 1), Convolution(out, out, 1, 1)
        )
        self.short_conv = Convolution(given, out, 1, 1)
        self.post_conv = nn.Sequential(Convolution(4 * out, out, 1, 1), Convolution(out, out, 3, 1))
        self.merge_conv = Convolution(2 * out, out, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """A map."""
        a = self.pre_conv(x)
        pools = [nn.functional.max_pool2d(a, side, 1, side // 2) for side in (5, 9, 13)]
        joined = [self.post_conv(torch.cat([a, *pools], 1)), self.short_conv(x)]
        return cast(Tensor, self.merge_conv(torch.cat(joined, 1)))


class Constant(nn.Module):
    """A constant per channel."""

    def __init__(self, channels: int, value: float) -> None:
        super().__init__()
        self.implicit = nn.Parameter(value + 0.02 * torch.randn(1, channels, 1, 1))


class Level(nn.Module):
    """Multiplier times a convolution of the map plus a constant."""

    def __init__(self, given: int, out: int) -> None:
        super().__init__()
        self.head_conv = nn.Conv2d(given, out, 1)
        self.implicit_a, self.implicit_m = Constant(given, 0.0), Constant(out, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        """[B, A * (5 + C), h, w]."""
        y = self.head_conv(x + self.implicit_a.implicit) * self.implicit_m.implicit
        return cast(Tensor, y)


class Levels(nn.Module):
    """A level for each of three maps."""

    def __init__(self, given: list[int], out: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(Level(channels, out) for channels in given)


class NumberedYolov7(nn.Module):
    """Of `layers`, the state dictionary has the keys of the layout."""

    def __init__(self, classes: int, width: float) -> None:
        super().__init__()
        self.rows, self.levels = _rows()
        channels: list[int] = []
        made: list[nn.Module] = []
        for kind, full, kernel, stride, reads in self.rows:
            out, given = int(full * width), [channels[i] if i >= 0 else 3 for i in reads]
            makers: dict[str, Any] = {
                "conv": lambda g=given, o=out, k=kernel, s=stride: Convolution(g[0], o, k, s),
                "pyramid": lambda g=given, o=out: Pyramid(g[0], o),
                "two": lambda g=given, o=out: Two(g[0], o),
            }
            made.append(makers.get(kind, nn.Identity)())
            channels.append(out if kind in makers else sum(given))
        made.append(Levels([channels[i] for i in self.levels], 3 * (5 + classes)))
        self.layers = nn.ModuleList(made)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Raw maps of the levels, from fine to coarse."""
        maps: list[Tensor] = []
        for (kind, _, _, _, reads), layer in zip(self.rows, self.layers, strict=False):
            given = [maps[i] if i >= 0 else x for i in reads]
            if kind == "join":
                maps.append(torch.cat(given, 1))
            elif kind == "pool":
                maps.append(nn.functional.max_pool2d(given[0], 2, 2))
            elif kind == "enlarge":
                maps.append(nn.functional.interpolate(given[0], scale_factor=2.0))
            else:
                maps.append(layer(given[0]))
        heads = cast(Levels, self.layers[-1]).heads
        return [head(maps[i]) for head, i in zip(heads, self.levels, strict=True)]


def _rows() -> tuple[list[Row], list[int]]:
    rows: list[Row] = []

    def add(kind: str, full: int = 0, kernel: int = 1, stride: int = 1, *reads: int) -> int:
        rows.append((kind, full, kernel, stride, reads or (len(rows) - 1,)))
        return len(rows) - 1

    def aggregate(hidden: int, inner: int, out: int, every: int) -> int:
        read = len(rows) - 1
        taps = [add("conv", hidden, 1, 1, read), add("conv", hidden, 1, 1, read)]
        chain = [add("conv", inner, 3) for _ in range(4)]
        taps += chain[every - 1 :: every]
        add("join", 0, 1, 1, *taps[::-1])
        return add("conv", out)

    def halve(width: int, *others: int) -> None:
        read = len(rows) - 1
        add("pool")
        pooled = add("conv", width)
        add("conv", width, 1, 1, read)
        add("join", 0, 1, 1, add("conv", width, 3, 2), pooled, *others)

    def enlarge(width: int, lateral: int) -> None:
        add("conv", width)
        up = add("enlarge")
        add("join", 0, 1, 1, add("conv", width, 1, 1, lateral), up)

    for full, stride in ((32, 1), (64, 2), (64, 1), (128, 2)):
        add("conv", full, 3, stride)
    aggregate(64, 64, 256, 2)
    halve(128)
    c3 = aggregate(128, 128, 512, 2)
    halve(256)
    c4 = aggregate(256, 256, 1024, 2)
    halve(512)
    aggregate(256, 256, 1024, 2)
    top = add("pyramid", 512)
    enlarge(256, c4)
    middle = aggregate(256, 128, 256, 1)
    enlarge(128, c3)
    outputs = [aggregate(128, 64, 128, 1)]
    halve(128, middle)
    outputs.append(aggregate(256, 128, 256, 1))
    halve(256, top)
    outputs.append(aggregate(512, 256, 512, 1))
    widths = (256, 512, 1024)
    return rows, [add("two", w, 1, 1, i) for w, i in zip(widths, outputs, strict=True)]
