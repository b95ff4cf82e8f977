"""Pictures of what the network is given and of what it makes of it, for the training log."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from yolor_gp.ops.letterbox import Letterbox
from yolor_gp.structures.batch import Batch
from yolor_gp.structures.detections import BoxMasks, Detections, PrototypeMasks
from yolor_gp.visualize.draw import DrawingStyle, draw_detections

_GAP = 4


_WITHOUT_SCORES = DrawingStyle(scores=False)


def labelled_batch(batch: Batch, names: Sequence[str], limit: int = 9) -> NDArray[np.uint8]:
    """The first `limit` images of a batch with their targets, tiled: u8[H, W, 3] RGB."""
    count = min(len(batch), limit)
    tiles = [
        draw_detections(image_of(batch, index), truth_of(batch, index), names, _WITHOUT_SCORES)
        for index in range(count)
    ]
    return tile(tiles, columns=max(1, math.ceil(math.sqrt(count))))


def predictions_against_truth(
    batch: Batch, detections: Sequence[Detections], names: Sequence[str], limit: int = 4
) -> NDArray[np.uint8]:
    """Rows of two pictures, truth on the left and predictions on the right: u8[H, W, 3] RGB.

    detections: one per image, in the frame of the batch as `postprocess` returns them.
    """
    tiles = []
    for index in range(min(len(batch), limit)):
        image = image_of(batch, index)
        tiles.append(draw_detections(image, truth_of(batch, index), names, _WITHOUT_SCORES))
        tiles.append(draw_detections(image, with_drawn_masks(detections[index]), names))
    return tile(tiles, columns=2)


def image_of(batch: Batch, index: int) -> NDArray[np.uint8]:
    """One image of a batch: u8[H, W, 3]."""
    pixels: NDArray[np.uint8] = batch.images[index].permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(pixels)


def truth_of(batch: Batch, index: int) -> Detections:
    """The targets of one image as detections of score 1, masks as coarse as the index map."""
    own = (batch.targets.image_index == index).cpu()
    boxes = batch.targets.boxes.cpu()[own]
    size = (batch.images.shape[2], batch.images.shape[3])
    masks = None
    if batch.targets.index_map is not None:
        masks = _masks_of(batch.targets.index_map[index].cpu().numpy(), boxes.numpy(), size)
    return Detections(size, boxes, torch.ones(len(boxes)), batch.targets.labels.cpu()[own], masks)


def with_drawn_masks(detections: Detections) -> Detections:
    """The same detections with prototype masks turned into masks of this frame."""
    if not isinstance(detections.masks, PrototypeMasks):
        return detections
    size = detections.image_size
    return detections.to_original(Letterbox(size, size, size, 0, 0))


def tile(images: Sequence[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    """Images of one size in rows of `columns`, with a thin gap between them."""
    if not images:
        return np.full((_GAP, _GAP, 3), 255, np.uint8)
    height, width = images[0].shape[:2]
    rows = math.ceil(len(images) / columns)
    shape = (rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3)
    canvas = np.full(shape, 255, np.uint8)
    for position, image in enumerate(images):
        top = position // columns * (height + _GAP)
        left = position % columns * (width + _GAP)
        canvas[top : top + height, left : left + width] = image
    return canvas


def _masks_of(
    index_map: NDArray[np.integer], boxes: NDArray[np.float32], size: tuple[int, int]
) -> BoxMasks:
    """The k-th object of the map (1-based), cut to the k-th box, in pixels of the image."""
    height, width = size
    stride = height // index_map.shape[0]
    extent = (index_map.shape[1] * stride, index_map.shape[0] * stride)
    full = cv2.resize(index_map.astype(np.int16), extent, interpolation=cv2.INTER_NEAREST)
    low = np.floor(boxes[:, :2])
    windows = np.concatenate((low, np.ceil(boxes[:, 2:])), axis=1).astype(np.int64)
    windows = windows.clip(0, [width, height, width, height])
    columns = tuple(
        np.ascontiguousarray((full[top:bottom, left:right] == number).T)
        for number, (left, top, right, bottom) in enumerate(windows.tolist(), start=1)
    )
    return BoxMasks(size, windows, columns)
