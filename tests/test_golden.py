"""Golden numbers that travel with the code (`tests/golden`): a clone proves itself by them.

They were made by the plain definitions of `tests/golden/plain_detector.py`; where numbers of public
implementations lie beside the repository, those definitions are held to them here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.golden import make_golden as make
from tests.golden import plain_detector as plain
from yolor_gp.config.train_config import LossConfig, ValidationConfig
from yolor_gp.detection.networks import load_network
from yolor_gp.detection.postprocess import select_detections
from yolor_gp.losses.detection_loss import DetectionLoss
from yolor_gp.models.fuse import fuse
from yolor_gp.ops.boxes import Measure, paired_iou
from yolor_gp.ops.letterbox import evaluation_letterbox
from yolor_gp.structures.batch import Targets
from yolor_gp.structures.predictions import LevelPrediction, RawPredictions

FOLDER = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def numbers() -> dict[str, torch.Tensor]:
    with np.load(FOLDER / "numbers.npz") as archive:
        return {name: torch.from_numpy(archive[name]) for name in archive}


@pytest.mark.parametrize("name", make.LOSS_CASES)
def test_loss_and_gradients(numbers: dict[str, torch.Tensor], name: str) -> None:
    leaves = [
        numbers[f"loss_{key}"].clone().requires_grad_()
        for key in ("level0", "level1", "prototypes")
    ]
    levels = tuple(
        LevelPrediction(level, anchors, stride)
        for level, anchors, stride in zip(leaves[:2], numbers["loss_anchors"], (8, 16), strict=True)
    )
    # The numbers' gains count as they are; ours are stated for 80 classes and three levels.
    gains = {"box": 0.05 * 2 / 3, "objectness": 0.7 * 2 / 3, "classification": 0.3 * 2 / 3 * 80 / 3}
    config = LossConfig(**gains, **make.LOSS_CASES[name])
    criterion = DetectionLoss(config, num_classes=3, image_size=96)
    targets = Targets(
        numbers["loss_images"],
        numbers["loss_boxes"],
        numbers["loss_labels"],
        numbers["loss_index_map"],
    )
    parts = criterion(RawPredictions(levels, leaves[2], 3), targets)
    found = (parts.box, parts.mask, parts.objectness, parts.classification, parts.total)
    torch.testing.assert_close(
        torch.stack(found).double(), numbers[f"loss_{name}"], rtol=1e-5, atol=1e-7
    )
    for index, gradient in enumerate(torch.autograd.grad(parts.total, leaves)):
        torch.testing.assert_close(
            gradient, numbers[f"loss_{name}_gradient{index}"], rtol=1e-3, atol=1e-6
        )


@pytest.mark.parametrize("measure", make.MEASURES)
def test_overlaps(numbers: dict[str, torch.Tensor], measure: Measure) -> None:
    found = paired_iou(numbers["overlap_first"], numbers["overlap_second"], measure)
    expected = numbers["overlap"][make.MEASURES.index(measure)]
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)
    assert expected.min() <= 0 < expected.max()


@pytest.mark.parametrize(
    ("name", "confidence", "iou", "most"),
    [("all", 0.05, 0.5, 100), ("few", 0.3, 0.3, 7), ("best", 0.4, 0.5, 100)],
)
def test_suppression(
    numbers: dict[str, torch.Tensor], name: str, confidence: float, iou: float, most: int
) -> None:
    config = ValidationConfig(
        confidence=confidence, nms_iou=iou, max_detections=most, multi_label=name != "best"
    )
    boxes = numbers["suppression_boxes"]
    found = select_detections(
        boxes, numbers["suppression_values"], None, config, image_size=(100, 100), num_classes=4
    )
    rows = numbers[f"suppression_{name}"]
    assert len(rows) > 6
    torch.testing.assert_close(found.boxes, boxes[rows[:, 0].long()])
    assert found.labels.tolist() == rows[:, 1].tolist()
    torch.testing.assert_close(found.scores.double(), rows[:, 2], rtol=1e-6, atol=0)


def test_letterbox(numbers: dict[str, torch.Tensor]) -> None:
    for height, width, side, *expected in numbers["letterbox"].tolist():
        box = evaluation_letterbox((height, width), side)
        assert [*box.scaled_size, box.top, box.left] == expected, (height, width, side)


@pytest.mark.parametrize("file", ["tiny.safetensors", "tiny.pt"])
@pytest.mark.parametrize("fold", [False, True], ids=["as is", "folded"])
def test_weights_of_an_earlier_day(numbers: dict[str, torch.Tensor], file: str, fold: bool) -> None:
    network = load_network(FOLDER / file).eval()
    assert network.names == ("a", "b", "c", "d")
    with torch.no_grad():
        raw = (fuse(network) if fold else network)(numbers["network_image"][None])
    outputs: dict[str, Any] = {f"level{i}": level.logits for i, level in enumerate(raw.levels)}
    outputs["prototypes"] = raw.prototypes
    for name, found in outputs.items():
        torch.testing.assert_close(found[0], numbers[f"network_{name}"], rtol=1e-4, atol=1e-4)


@pytest.mark.coco
@pytest.mark.parametrize("case", ["single_class", "border", "focal"])
def test_the_plain_loss_is_that_of_public_implementations(shared: Path, case: str) -> None:
    golden = np.load(shared / f"golden/loss_{case}.npz")
    words = json.loads(str(golden["hyp"]))
    rows, side = torch.tensor(golden["targets"]).double(), int(golden["img"])
    centre, size = rows[:, 2:4] * side, rows[:, 4:] * side
    gains = plain.Gains(
        words["box"], words["obj"], words["cls"], words["anchor_t"], words["label_smoothing"],
        words["fl_gamma"],
    )  # fmt: skip
    result = plain.loss(
        [torch.tensor(golden[f"p{index}"]).double() for index in range(3)],
        torch.tensor(golden["anchors"]).double().view(3, 3, 2),
        golden["strides"].astype(int).tolist(),
        torch.tensor(golden["proto"]).double(),
        rows[:, 0].int().tolist(),
        torch.cat((centre - size / 2, centre + size / 2), dim=1),
        rows[:, 1].int().tolist(),
        torch.tensor(golden["masks"]),
        gains,
    )
    assert float(result["total"]) == pytest.approx(float(golden["loss"]), rel=1e-5)
    names = ("box", "mask", "objectness", "classification")
    found = [float(result[name]) for name in names]
    assert found == pytest.approx(golden["items_box_seg_obj_cls"].tolist(), rel=1e-5, abs=1e-7)
