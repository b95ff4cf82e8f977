from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.detection.postprocess import postprocess, select_detections
from yolor_gp.models.heads.anchor_head import anchor_candidates
from yolor_gp.ops.anchor_decode import decode_level
from yolor_gp.ops.boxes import cxcywh_to_xyxy
from yolor_gp.ops.letterbox import Letterbox
from yolor_gp.structures.detections import BoxMasks, Detections, PrototypeMasks
from yolor_gp.structures.predictions import LevelPrediction, RawPredictions

CLASSES, COEFFICIENTS = 5, 4


def golden_detections(golden: Any, name: str, image: int) -> tuple[Detections, torch.Tensor]:
    """Ours, and what the reference kept: x1 y1 x2 y2 score class coefficients."""
    settings = json.loads(str(golden[f"{name}_kw"]))
    config = ValidationConfig(
        confidence=settings["conf_thres"],
        nms_iou=settings["iou_thres"],
        multi_label=settings.get("multi_label", False),
        max_detections=settings.get("max_det", 300),
    )
    rows = torch.tensor(golden["pred"][image])
    found = select_detections(
        cxcywh_to_xyxy(rows[:, :4]),
        rows[:, 4:],
        torch.tensor(golden["proto"][image]),
        config,
        image_size=(160, 160),
        num_classes=CLASSES,
        class_agnostic=settings.get("agnostic", False),
        classes=settings.get("classes"),
    )
    return found, torch.tensor(golden[f"{name}_{image}"])


@pytest.mark.coco
@pytest.mark.parametrize("image", [0, 1])
@pytest.mark.parametrize("name", ["val", "detect", "agnostic", "cls02"])
def test_keeps_what_the_reference_keeps(shared: Path, name: str, image: int) -> None:
    golden = np.load(shared / "golden/postprocess.npz")
    found, expected = golden_detections(golden, name, image)
    torch.testing.assert_close(found.boxes, expected[:, :4])
    torch.testing.assert_close(found.scores, expected[:, 4])
    assert found.labels.tolist() == expected[:, 5].tolist()
    # The reference multiplies coefficients by objectness, we do not: the ratio is one per row.
    assert isinstance(found.masks, PrototypeMasks)
    ratio = expected[:, 6:] / found.masks.coefficients
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio), rtol=1e-4, atol=1e-5)
    assert ((ratio > 0) & (ratio <= 1)).all()


@pytest.mark.coco
@pytest.mark.parametrize("image", [0, 1])
def test_masks_equal_the_reference_pixel_for_pixel(shared: Path, image: int) -> None:
    golden = np.load(shared / "golden/postprocess.npz")
    found, expected = golden_detections(golden, "detect", image)
    assert isinstance(found.masks, PrototypeMasks)
    as_reference = replace(found, masks=replace(found.masks, coefficients=expected[:, 6:]))
    unscaled = Letterbox((160, 160), (160, 160), (160, 160), 0, 0)
    masks = as_reference.to_original(unscaled, 0.5).masks
    assert isinstance(masks, BoxMasks)
    packed = golden[f"mask_crop_after_upsample_{image}"]
    reference = np.unpackbits(packed)[: len(found) * 160 * 160].reshape(-1, 160, 160)
    assert np.array_equal(masks.dense(), reference)


def raw_predictions(dtype: torch.dtype = torch.float32, masks: bool = True) -> RawPredictions:
    generator = torch.Generator().manual_seed(1)
    coefficients = COEFFICIENTS if masks else 0
    levels = []
    for stride, side in ((8, 40.0), (16, 80.0)):
        shape = (3, 2, 64 // stride, 96 // stride, 5 + CLASSES + coefficients)
        logits = (torch.randn(shape, generator=generator) * 2).to(dtype)
        levels.append(LevelPrediction(logits, torch.tensor([[side, 30], [20, side]]), stride))
    prototypes = torch.randn(3, COEFFICIENTS, 16, 24, generator=generator).to(dtype)
    return RawPredictions(tuple(levels), prototypes if masks else None, CLASSES)


def detections(
    raw: RawPredictions, config: ValidationConfig, classes: tuple[int, ...] | None = None
) -> list[Detections]:
    return postprocess(anchor_candidates(raw, config.confidence), config, classes=classes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_equals_decoding_everything_first(dtype: torch.dtype) -> None:
    raw = raw_predictions(dtype)
    config = ValidationConfig(confidence=0.3)
    results = detections(raw, config)
    assert len(results) == 3 and all(len(found) > 3 for found in results)
    for image, found in enumerate(results):
        boxes, values = [], []
        for level in raw.levels:
            logits = level.logits[image].float().flatten(0, 2)
            boxes.append(
                decode_level(level.logits, level.anchors, level.stride)[image].flatten(0, 2)
            )
            split = 5 + CLASSES
            values.append(torch.cat((logits[:, 4:split].sigmoid(), logits[:, split:]), dim=1))
        expected = select_detections(
            torch.cat(boxes),
            torch.cat(values),
            None if raw.prototypes is None else raw.prototypes[image].float(),
            config,
            image_size=(64, 96),
            num_classes=CLASSES,
        )
        assert found.image_size == (64, 96)
        torch.testing.assert_close(found.boxes, expected.boxes, rtol=0, atol=1e-3)
        torch.testing.assert_close(found.scores, expected.scores)
        assert found.labels.tolist() == expected.labels.tolist()
        assert isinstance(found.masks, PrototypeMasks)
        assert found.masks.prototypes.dtype == torch.float32


def test_boxes_only_networks_have_no_masks() -> None:
    results = detections(raw_predictions(masks=False), ValidationConfig(confidence=0.3))
    assert all(len(found) and found.masks is None for found in results)


def test_nothing_confident_is_no_detection_for_every_image() -> None:
    results = detections(raw_predictions(), ValidationConfig(confidence=1.0))
    assert [len(found) for found in results] == [0, 0, 0]
    assert len(results[0].to_original(Letterbox((64, 96), (64, 96), (64, 96), 0, 0))) == 0


def test_only_the_wanted_classes_and_so_many_remain() -> None:
    config = ValidationConfig(confidence=0.01, max_detections=5)
    for found in detections(raw_predictions(), config, classes=(1, 3)):
        assert len(found) == 5 and set(found.labels.tolist()) <= {1, 3}
