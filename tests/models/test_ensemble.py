"""Several networks as one find what each finds, with its own masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.tiny_network import TINY
from yolor_gp.config.model_spec import load_model_spec
from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.detection.inference import Inference
from yolor_gp.engine.precision import choose_precision
from yolor_gp.errors import UserError
from yolor_gp.models.builder import build_network, without_masks
from yolor_gp.models.ensemble import Ensemble
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.ops.letterbox import Letterbox
from yolor_gp.structures.detections import Detections

CPU = torch.device("cpu")
PLAIN = Letterbox((64, 64), (64, 64), (64, 64), 0, 0)


def network(seed: int, classes: int = 4, masks: bool = True) -> DetectionNetwork:
    torch.manual_seed(seed)
    spec = load_model_spec(TINY).with_classes(classes)
    built = build_network(spec if masks else without_masks(spec))
    assert isinstance(built, DetectionNetwork)
    return built.eval()


def detect(members: list[DetectionNetwork], most: int = 10_000) -> list[Detections]:
    together: Any = members[0] if len(members) == 1 else Ensemble(members, ["a"] * len(members))
    config = ValidationConfig(confidence=1e-4, nms_iou=1.0, max_detections=most)
    inference = Inference.of(together, config, CPU, choose_precision("float32", CPU))
    images = torch.randint(0, 256, (2, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    return [found.to_original(PLAIN) for found in inference(images.to(torch.uint8))]


def rows(found: Detections) -> list[tuple[object, ...]]:
    masks = [None] * len(found) if found.masks is None else found.masks.rle()
    boxes, scores = found.boxes.numpy().round(3).tolist(), found.scores.numpy().round(5).tolist()
    return sorted(
        (score, *box, label, str(mask))
        for score, box, label, mask in zip(scores, boxes, found.labels.tolist(), masks, strict=True)
    )


def test_all_that_each_finds_with_its_own_masks() -> None:
    first, second = network(1), network(2)
    together = detect([first, second])
    alone = zip(detect([first]), detect([second]), strict=True)
    for both, (one, other) in zip(together, alone, strict=True):
        assert len(one) and len(other)
        assert rows(both) == sorted(rows(one) + rows(other))


def test_a_network_with_itself_is_itself() -> None:
    once = detect([network(1)], 50)
    twice = detect([network(1), network(1)], 100)
    for one, two in zip(once, twice, strict=True):
        np.testing.assert_array_equal(two.scores[::2], one.scores)


def test_masks_where_all_draw_them() -> None:
    assert all(found.masks is None for found in detect([network(1), network(2, masks=False)]))


def test_other_classes_are_refused() -> None:
    with pytest.raises(UserError, match="b: 3 classes, but a has 4"):
        Ensemble([network(1), network(2, classes=3)], ["a", "b"])
