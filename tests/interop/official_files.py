"""Model files in the field's notation, written from the published architecture tables."""

from __future__ import annotations

from typing import Any

import yaml

Layers = list[list[Any]]

V5_ANCHORS = [
    [10, 13, 16, 30, 33, 23],
    [30, 61, 62, 45, 59, 119],
    [116, 90, 156, 198, 373, 326],
]
YOLOR_ANCHORS = [
    [12, 16, 19, 36, 40, 28],
    [36, 75, 76, 55, 72, 146],
    [142, 110, 192, 243, 459, 401],
]
# depth multiple, width multiple
V5_SIZES = {
    "n": (0.33, 0.25),
    "s": (0.33, 0.5),
    "m": (0.67, 0.75),
    "l": (1.0, 1.0),
    "x": (1.33, 1.25),
}
_UP: list[Any] = [-1, 1, "nn.Upsample", ["None", 2, "nearest"]]


def model_file(
    backbone: Layers, head: Layers, anchors: Any, depth: float = 1.0, width: float = 1.0
) -> str:
    """YAML text with the field's keys."""
    return yaml.safe_dump(
        {
            "nc": 80,
            "depth_multiple": depth,
            "width_multiple": width,
            "anchors": anchors,
            "backbone": backbone,
            "head": head,
        },
        sort_keys=False,
    )


def yolov5(size: str, segment: bool = False) -> str:
    """YOLOv5 of release 6 and 7: C3 blocks and SPPF."""
    backbone: Layers = [
        [-1, 1, "Conv", [64, 6, 2, 2]],
        [-1, 1, "Conv", [128, 3, 2]],
        [-1, 3, "C3", [128]],
        [-1, 1, "Conv", [256, 3, 2]],
        [-1, 6, "C3", [256]],
        [-1, 1, "Conv", [512, 3, 2]],
        [-1, 9, "C3", [512]],
        [-1, 1, "Conv", [1024, 3, 2]],
        [-1, 3, "C3", [1024]],
        [-1, 1, "SPPF", [1024, 5]],
    ]
    decoder: Layers = (
        [[[17, 20, 23], 1, "Segment", ["nc", "anchors", 32, 256]]]
        if segment
        else [[[17, 20, 23], 1, "Detect", ["nc", "anchors"]]]
    )
    head: Layers = [
        [-1, 1, "Conv", [512, 1, 1]],
        _UP,
        [[-1, 6], 1, "Concat", [1]],
        [-1, 3, "C3", [512, False]],
        [-1, 1, "Conv", [256, 1, 1]],
        _UP,
        [[-1, 4], 1, "Concat", [1]],
        [-1, 3, "C3", [256, False]],
        [-1, 1, "Conv", [256, 3, 2]],
        [[-1, 14], 1, "Concat", [1]],
        [-1, 3, "C3", [512, False]],
        [-1, 1, "Conv", [512, 3, 2]],
        [[-1, 10], 1, "Concat", [1]],
        [-1, 3, "C3", [1024, False]],
        *decoder,
    ]
    return model_file(backbone, head, V5_ANCHORS, *V5_SIZES[size])


def yolov7_tiny() -> str:
    """YOLOv7-tiny: four-tap ELAN stages of two convolutions, leaky ReLU, pooling by SP."""

    def conv(source: int, width: int, kernel: int = 1, stride: int = 1) -> list[Any]:
        arguments = [width, kernel, stride, "None", 1, "nn.LeakyReLU(0.1)"]
        return [source, 1, "Conv", arguments]

    def stage(hidden: int, width: int) -> Layers:
        return [
            conv(-1, hidden),
            conv(-2, hidden),
            conv(-1, hidden, 3),
            conv(-1, hidden, 3),
            [[-1, -2, -3, -4], 1, "Concat", [1]],
            conv(-1, width),
        ]

    pool: Layers = [[-1, 1, "MP", []]]
    backbone = [conv(-1, 32, 3, 2), conv(-1, 64, 3, 2), *stage(32, 64), *pool, *stage(64, 128)]
    backbone += [*pool, *stage(128, 256), *pool, *stage(256, 512)]
    head: Layers = [
        conv(-1, 256),
        conv(-2, 256),
        [-1, 1, "SP", [5]],
        [-2, 1, "SP", [9]],
        [-3, 1, "SP", [13]],
        [[-1, -2, -3, -4], 1, "Concat", [1]],
        conv(-1, 256),
        [[-1, -7], 1, "Concat", [1]],
        conv(-1, 256),
        *[conv(-1, 128), _UP, conv(21, 128), [[-1, -2], 1, "Concat", [1]], *stage(64, 128)],
        *[conv(-1, 64), _UP, conv(14, 64), [[-1, -2], 1, "Concat", [1]], *stage(32, 64)],
        *[conv(-1, 128, 3, 2), [[-1, 47], 1, "Concat", [1]], *stage(64, 128)],
        *[conv(-1, 256, 3, 2), [[-1, 37], 1, "Concat", [1]], *stage(128, 256)],
        *[conv(57, 128, 3), conv(65, 256, 3), conv(73, 512, 3)],
        [[74, 75, 76], 1, "IDetect", ["nc", "anchors"]],
    ]
    return model_file(backbone, head, V5_ANCHORS)


def yolov3(spp: bool) -> str:
    """YOLOv3 as the field writes it: residual blocks, two or three levels fused from above."""
    backbone: Layers = [[-1, 1, "Conv", [32, 3, 1]]]
    for width, number in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        backbone += [[-1, 1, "Conv", [width, 3, 2]], [-1, number, "Bottleneck", [width]]]
    head: Layers = [
        [-1, 1, "Bottleneck", [1024, False]],
        [-1, 1, "SPP", [512, [5, 9, 13]]] if spp else [-1, 1, "Conv", [512, [1, 1]]],
        [-1, 1, "Conv", [1024, 3, 1]],
        [-1, 1, "Conv", [512, 1, 1]],
        [-1, 1, "Conv", [1024, 3, 1]],
        *[[-2, 1, "Conv", [256, 1, 1]], _UP, [[-1, 8], 1, "Concat", [1]]],
        [-1, 1, "Bottleneck", [512, False]],
        [-1, 1, "Bottleneck", [512, False]],
        [-1, 1, "Conv", [256, 1, 1]],
        [-1, 1, "Conv", [512, 3, 1]],
        *[[-2, 1, "Conv", [128, 1, 1]], _UP, [[-1, 6], 1, "Concat", [1]]],
        [-1, 1, "Bottleneck", [256, False]],
        [-1, 2, "Bottleneck", [256, False]],
        [[27, 22, 15], 1, "Detect", ["nc", "anchors"]],
    ]
    return model_file(backbone, head, V5_ANCHORS)


def yolor_csp(depth: float = 1.0, width: float = 1.0, decoder: str = "IDetect") -> str:
    """YOLOR-CSP and YOLOv4-CSP of the field: BottleneckCSPC below, SPPCSPC and CSPB above."""
    backbone: Layers = [
        [-1, 1, "Conv", [32, 3, 1]],
        [-1, 1, "Conv", [64, 3, 2]],
        [-1, 1, "Bottleneck", [64]],
    ]
    for channels, number in ((128, 2), (256, 8), (512, 8), (1024, 4)):
        backbone += [[-1, 1, "Conv", [channels, 3, 2]], [-1, number, "BottleneckCSPC", [channels]]]
    head: Layers = [[-1, 1, "SPPCSPC", [512]]]
    for channels, lateral in ((256, 8), (128, 6)):
        head += [
            [-1, 1, "Conv", [channels, 1, 1]],
            _UP,
            [lateral, 1, "Conv", [channels, 1, 1]],
            [[-1, -2], 1, "Concat", [1]],
            [-1, 2, "BottleneckCSPB", [channels]],
        ]
    for channels, other in ((256, 16), (512, 11)):
        head += [
            [-1, 1, "Conv", [channels, 3, 1]],
            [-2, 1, "Conv", [channels, 3, 2]],
            [[-1, other], 1, "Concat", [1]],
            [-1, 2, "BottleneckCSPB", [channels]],
        ]
    head += [[-1, 1, "Conv", [1024, 3, 1]], [[22, 26, 30], 1, decoder, ["nc", "anchors"]]]
    return model_file(backbone, head, YOLOR_ANCHORS, depth, width)


def yolov7(rep: str = "RepConv", decoder: str = "IDetect", width: float = 1.0) -> str:
    """YOLOv7: ELAN stages written out layer by layer; re-parameterised last convolutions."""

    def conv(source: int, channels: int, kernel: int = 1, stride: int = 1) -> list[Any]:
        return [source, 1, "Conv", [channels, kernel, stride]]

    def elan(hidden: int, inner: int, channels: int, taps: list[int]) -> Layers:
        chain = [conv(-1, inner, 3) for _ in range(4)]
        joined = [taps, 1, "Concat", [1]]
        return [conv(-1, hidden), conv(-2, hidden), *chain, joined, conv(-1, channels)]

    def down(channels: int, *others: int) -> Layers:
        joined = [[-1, -3, *others], 1, "Concat", [1]]
        pooled = [[-1, 1, "MP", []], conv(-1, channels), conv(-3, channels)]
        return [*pooled, conv(-1, channels, 3, 2), joined]

    four, six = [-1, -3, -5, -6], [-1, -2, -3, -4, -5, -6]
    backbone = [conv(-1, 32, 3), conv(-1, 64, 3, 2), conv(-1, 64, 3), conv(-1, 128, 3, 2)]
    backbone += elan(64, 64, 256, four)
    backbone += down(128) + elan(128, 128, 512, four)
    backbone += down(256) + elan(256, 256, 1024, four)
    backbone += down(512) + elan(256, 256, 1024, four)
    head: Layers = [[-1, 1, "SPPCSPC", [512]]]
    head += [conv(-1, 256), _UP, conv(37, 256), [[-1, -2], 1, "Concat", [1]]]
    head += elan(256, 128, 256, six)
    head += [conv(-1, 128), _UP, conv(24, 128), [[-1, -2], 1, "Concat", [1]]]
    head += elan(128, 64, 128, six)
    head += down(128, 63) + elan(256, 128, 256, six)
    head += down(256, 51) + elan(512, 256, 512, six)
    for source, channels in ((75, 256), (88, 512), (101, 1024)):
        head += [[source, 1, rep, [channels, 3, 1]]]
    arguments = ["nc", "anchors", 32, 256] if "Segment" in decoder else ["nc", "anchors"]
    head += [[[102, 103, 104], 1, decoder, arguments]]
    return model_file(backbone, head, YOLOR_ANCHORS, 1.0, width)
