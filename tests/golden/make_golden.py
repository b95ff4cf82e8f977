"""Makes the golden numbers of this folder: `python -m tests.golden.make_golden`.

`numbers.npz`: random inputs (NumPy's PCG64, seed 2026, rounded to float32), and what
`plain_detector.py` gives for them in float64. `tiny.safetensors`, `tiny.pt`: weights of tiny.yaml
with random normalisation statistics, written by the package in its two formats; what they must
give for an image is computed here by NumPy from the arrays of the first.

The numbers are not to be made anew because a test fails: they say what must stay.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file

from tests.golden import plain_detector as plain
from yolor_gp.config.model_spec import load_model_spec
from yolor_gp.models.builder import build_network
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.weights import save_network

FOLDER = Path(__file__).parent
Arrays = dict[str, NDArray[Any]]

LOSS_CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "smooth": {"label_smoothing": 0.1},
    "focal": {"focal_gamma": 1.5},
    "strict": {"anchor_threshold": 1.7},
}
MEASURES = ("iou", "giou", "diou", "ciou")
SIZES = [(480, 640), (333, 500), (500, 333), (426, 640), (1, 10_000), (7, 7), (159, 424)]
SIDES = (320, 640, 641)


def main() -> None:
    """Write all of it."""
    random = np.random.default_rng(2026)
    numbers = {**loss_numbers(random), **overlap_numbers(random), **suppression_numbers(random)}
    boxes = [(*size, side, *plain.letterbox(*size, side)) for size in SIZES for side in SIDES]
    numbers["letterbox"] = np.array(boxes)
    numbers |= network_numbers(random)
    np.savez_compressed(FOLDER / "numbers.npz", allow_pickle=False, **numbers)


def corners(centre: NDArray[Any], size: NDArray[Any]) -> NDArray[Any]:
    """xyxy of centres and sizes."""
    return np.concatenate((centre - size / 2, centre + size / 2), axis=1).astype(np.float32)


def loss_numbers(random: np.random.Generator) -> Arrays:
    """Three images of 64 x 96 px (the last without objects), two levels of two anchors, 3 classes,
    4 coefficients."""
    images = [0, 0, 0, 1, 1]
    anchors = np.array([[[12, 16], [30, 20]], [[40, 30], [60, 60]]], np.float32)
    boxes = corners(
        random.uniform([20, 20], [76, 44], (5, 2)), np.exp(random.uniform(2.2, 3.6, (5, 2)))
    )
    inputs = {
        "level0": random.normal(size=(3, 2, 8, 12, 12)).astype(np.float32),
        "level1": random.normal(size=(3, 2, 4, 6, 12)).astype(np.float32),
        "prototypes": random.normal(size=(3, 4, 16, 24)).astype(np.float32),
        "anchors": anchors,
        "images": np.array(images),
        "boxes": boxes,
        "labels": random.integers(0, 3, 5),
        "index_map": random.integers(0, 4, (3, 16, 24)).astype(np.uint8),
    }
    numbers: Arrays = {f"loss_{name}": value for name, value in inputs.items()}
    for name, words in LOSS_CASES.items():
        leaves = [
            torch.tensor(inputs[key], dtype=torch.float64, requires_grad=True)
            for key in ("level0", "level1", "prototypes")
        ]
        result = plain.loss(
            leaves[:2],
            torch.tensor(anchors).double(),
            [8, 16],
            leaves[2],
            images,
            torch.tensor(boxes).double(),
            inputs["labels"].tolist(),
            torch.tensor(inputs["index_map"]),
            plain.Gains(0.05, 0.7, 0.3, **words),
        )
        result["total"].backward()
        order = ("box", "mask", "objectness", "classification", "total")
        numbers[f"loss_{name}"] = np.array([result[part].item() for part in order])
        for index, leaf in enumerate(leaves):
            assert leaf.grad is not None
            numbers[f"loss_{name}_gradient{index}"] = leaf.grad.numpy().astype(np.float32)
    return numbers


def overlap_numbers(random: np.random.Generator) -> Arrays:
    """40 pairs of boxes, some apart; every measure of each."""
    pairs = [
        corners(random.uniform(0, 60, (40, 2)), random.uniform(2, 50, (40, 2))) for _ in range(2)
    ]
    first, second = (torch.tensor(boxes).double() for boxes in pairs)
    measured = [
        [plain.overlap(a, b, measure).item() for a, b in zip(first, second, strict=True)]
        for measure in MEASURES
    ]
    return {"overlap_first": pairs[0], "overlap_second": pairs[1], "overlap": np.array(measured)}


def suppression_numbers(random: np.random.Generator) -> Arrays:
    """120 crowded candidates of 4 classes, by the protocol of validation and by that of detection.

    Each kept one: row, label, score.
    """
    boxes = corners(random.uniform(20, 80, (120, 2)), random.uniform(10, 40, (120, 2)))
    values = random.uniform(0, 1, (120, 5)).astype(np.float32)
    numbers = {"suppression_boxes": boxes, "suppression_values": values}
    tensors = torch.tensor(boxes).double(), torch.tensor(values).double()
    numbers["suppression_all"] = np.array(plain.kept(*tensors, 4, 0.05, 0.5, 100))
    numbers["suppression_few"] = np.array(plain.kept(*tensors, 4, 0.3, 0.3, 7))
    best = plain.kept(*tensors, 4, 0.4, 0.5, 100, best_class_only=True)
    numbers["suppression_best"] = np.array(best)
    return numbers


def network_numbers(random: np.random.Generator) -> Arrays:
    """The tiny network's files, an image of 32 x 64 and its outputs."""
    spec = load_model_spec(FOLDER.parent / "tiny.yaml")
    torch.manual_seed(0)
    network = build_network(spec, names=("a", "b", "c", "d"))
    assert isinstance(network, DetectionNetwork)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            low, high = (0.5, 1.5) if name.endswith(("var", "norm.weight")) else (-0.3, 0.3)
            value.copy_(torch.tensor(random.uniform(low, high, tuple(value.shape))))
    for file in ("tiny.safetensors", "tiny.pt"):
        save_network(network, FOLDER / file, 64)
    image = random.uniform(0, 1, (3, 32, 64)).astype(np.float32)
    arrays = load_file(FOLDER / "tiny.safetensors")
    outputs = plain_network({key: value.astype(np.float64) for key, value in arrays.items()}, image)
    return {"network_image": image} | {
        f"network_{key}": value.astype(np.float32) for key, value in outputs.items()
    }


def plain_network(arrays: Arrays, image: NDArray[Any]) -> Arrays:
    """tiny.yaml by hand: four convolutions, two predictors, prototypes."""
    x, maps = image.astype(np.float64), []
    for index in range(4):
        x = convolution(arrays, f"layers.{index}", x, 2)
        maps.append(x)
    outputs = {}
    for level, x in enumerate(maps[2:]):
        prefix = f"head.levels.{level}"
        x = x + arrays[f"{prefix}.implicit_add.value"].reshape(-1, 1, 1)
        x = np.einsum("oi,ihw->ohw", arrays[f"{prefix}.conv.weight"][:, :, 0, 0], x)
        x = x + arrays[f"{prefix}.conv.bias"][:, None, None]
        x = x * arrays[f"{prefix}.implicit_multiply.value"].reshape(-1, 1, 1)
        outputs[f"level{level}"] = x.reshape(2, 13, *x.shape[1:]).transpose(0, 2, 3, 1)
    x = convolution(arrays, "head.mask_head.layers.0", maps[2], 1)
    x = x.repeat(2, axis=1).repeat(2, axis=2)
    x = convolution(arrays, "head.mask_head.layers.2", x, 1)
    outputs["prototypes"] = convolution(arrays, "head.mask_head.layers.3", x, 1)
    return outputs


def convolution(arrays: Arrays, name: str, x: NDArray[Any], stride: int) -> NDArray[Any]:
    """Convolution, normalisation (eps 1e-3), SiLU of [C, h, w]."""
    weight = arrays[f"{name}.conv.weight"]
    reach = weight.shape[2] // 2
    padded = np.pad(x, ((0, 0), (reach, reach), (reach, reach)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], axis=(1, 2))
    x = np.einsum("ocij,chwij->ohw", weight, windows[:, ::stride, ::stride])
    mean, variance, scale, shift = (
        arrays[f"{name}.norm.{key}"][:, None, None]
        for key in ("running_mean", "running_var", "weight", "bias")
    )
    x = (x - mean) / np.sqrt(variance + 1e-3) * scale + shift
    return x / (1 + np.exp(-x))


if __name__ == "__main__":
    main()
