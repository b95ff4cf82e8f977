"""Masks of 300 detections at the picture's own 640 x 480, and their COCO run lengths."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pycocotools import mask as coco_mask

from benchmarks.inputs import FRAME, Array, instances, prototypes
from benchmarks.settings import Settings
from benchmarks.timing import Run, Timed, timed
from benchmarks.work import Target, Work
from yolor_gp.ops.boxes import boxes_to_letterbox
from yolor_gp.ops.letterbox import evaluation_letterbox
from yolor_gp.structures.detections import BoxMasks, Detections, PrototypeMasks


def _network_frame() -> tuple[Detections, Any]:
    found = instances()
    letterbox = evaluation_letterbox(found.size, FRAME)
    masks = PrototypeMasks(torch.from_numpy(found.coefficients), torch.from_numpy(prototypes()))
    boxes = boxes_to_letterbox(torch.from_numpy(found.boxes), letterbox)
    scores, labels = torch.from_numpy(found.scores), torch.from_numpy(found.labels)
    return Detections((FRAME, FRAME), boxes, scores, labels, masks), letterbox


def ours(settings: Settings) -> Run:
    """`Detections.to_original`: from coefficients and prototypes to masks in native pixels."""
    torch.set_num_threads(settings.threads)
    detections, letterbox = _network_frame()
    return _packed(lambda _: detections.to_original(letterbox), lambda found: found.masks.dense())


def _packed(work: Callable[[None], Any], dense: Callable[[Any], Array]) -> Run:
    """Time `work`; the result is the packed bits of all masks, made outside the measurement."""
    measured = timed(work)

    def run() -> Timed:
        one = measured()
        bits = zlib.compress(np.packbits(dense(one.result)).tobytes(), 1)
        return replace(one, result=bits)

    return run


def _native() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, tuple[int, int]]:
    found = instances()
    tensors = (prototypes(), found.coefficients, found.boxes)
    first, second, third = (torch.from_numpy(value) for value in tensors)
    return first, second, third, found.size


def yolov5(settings: Settings) -> Run:
    """`process_mask_native` of the package."""
    from yolov5.utils.segment.general import process_mask_native

    torch.set_num_threads(settings.threads)
    protos, coefficients, boxes, size = _native()
    return _packed(lambda _: process_mask_native(protos, coefficients, boxes, size), _bits)


def ultralytics(settings: Settings) -> Run:
    """`process_mask_native` of the package."""
    from ultralytics.utils.ops import process_mask_native

    torch.set_num_threads(settings.threads)
    protos, coefficients, boxes, size = _native()
    return _packed(lambda _: process_mask_native(protos, coefficients, boxes, size), _bits)


def _bits(masks: Any) -> Array:
    bits: Array = masks.numpy().astype(bool)
    return bits


def agree(mine: Any, theirs: Any) -> str:
    """Intersection over union of all mask pixels; at least 0.999 where both round the same way."""
    first, second = (np.frombuffer(zlib.decompress(bits), np.uint8) for bits in (mine, theirs))
    assert first.shape == second.shape
    shared = int(np.bitwise_count(first & second).sum())
    return f"mask IoU {shared / int(np.bitwise_count(first | second).sum()):.6f}"


def _dense_masks() -> tuple[Any, BoxMasks]:
    detections, letterbox = _network_frame()
    found = detections.to_original(letterbox)
    assert isinstance(found.masks, BoxMasks)
    return found, found.masks


def ours_rle(settings: Settings) -> Run:
    """`BoxMasks.rle`."""
    torch.set_num_threads(settings.threads)
    _, masks = _dense_masks()
    expected = coco_mask.encode(np.asfortranarray(masks.dense().transpose(1, 2, 0), dtype=np.uint8))
    assert masks.rle() == expected, "not what pycocotools writes"
    return timed(lambda _: [code["counts"] for code in masks.rle()])


def yolov5_rle(settings: Settings) -> Run:
    """`save_one_json` of the package, which encodes the masks of an image for COCO."""
    from yolov5.segment.val import save_one_json

    torch.set_num_threads(settings.threads)
    found, masks = _dense_masks()
    rows = torch.cat((found.boxes, found.scores[:, None], found.labels[:, None].float()), dim=1)
    planes = np.ascontiguousarray(masks.dense().transpose(1, 2, 0).astype(np.uint8))
    classes = list(range(100))

    def work(_: None) -> list[bytes]:
        entries: list[dict[str, Any]] = []
        save_one_json(rows, entries, Path("1.jpg"), classes, planes)
        return [_bytes(entry["segmentation"]["counts"]) for entry in entries]

    return timed(work)


def ultralytics_rle(settings: Settings) -> Run:
    """`SegmentationValidator.pred_to_json` of the package."""
    from ultralytics.models.yolo.segment import SegmentationValidator

    torch.set_num_threads(settings.threads)
    found, masks = _dense_masks()
    validator = SegmentationValidator(
        save_dir=settings.scratch, args={"task": "segment", "mode": "val", "plots": False}
    )
    validator.class_map = list(range(100))
    planes = torch.from_numpy(masks.dense().astype(np.uint8))
    predictions = {
        "bboxes": found.boxes, "conf": found.scores, "cls": found.labels.float(), "masks": planes,
    }  # fmt: skip

    def work(_: None) -> list[bytes]:
        validator.jdict = []
        validator.pred_to_json(predictions, {"im_file": "1.jpg", "ori_shape": masks.image_size})
        return [_bytes(entry["segmentation"]["counts"]) for entry in validator.jdict]

    return timed(work)


def _bytes(counts: str | bytes) -> bytes:
    return counts.encode() if isinstance(counts, str) else counts


def agree_rle(mine: Any, theirs: Any) -> str:
    """The same text, byte for byte, in the same order."""
    same = sum(first == second for first, second in zip(mine, theirs, strict=True))
    assert same == len(mine), f"{same} of {len(mine)} run lengths are the same"
    return f"the same {len(mine)} encodings, byte for byte"


_HERE = "benchmarks.works.masks"
WORKS = (
    Work(
        name="masks",
        title="masks of 300 detections at 640x480",
        ours=f"{_HERE}:ours",
        peers={"yolov5": f"{_HERE}:yolov5", "ultralytics": f"{_HERE}:ultralytics"},
        unit="ms",
        scale=1e3,
        target=Target("at least", 40),
        repeats=7,
        agree=agree,
    ),
    Work(
        name="rle",
        title="COCO RLE of these masks",
        ours=f"{_HERE}:ours_rle",
        peers={"yolov5": f"{_HERE}:yolov5_rle", "ultralytics": f"{_HERE}:ultralytics_rle"},
        unit="ms",
        scale=1e3,
        target=Target("at least", 8),
        repeats=7,
        agree=agree_rle,
    ),
)
