"""Boxes, masks and labels drawn into images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from yolor_gp.structures.detections import BoxMasks, Detections
from yolor_gp.visualize.colours import Colour, class_colour, text_colour

_MASK_OPACITY = 0.45
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class DrawingStyle:
    """What is drawn of an object besides its box.

    Attributes:
        names: Its class name.
        scores: Its score.
        masks: Its mask, tinted.
        line_width: Of boxes and outlines in pixels; None: by the size of the image.
    """

    names: bool = True
    scores: bool = True
    masks: bool = True
    line_width: int | None = None


def draw_detections(
    image: NDArray[np.uint8],
    detections: Detections,
    names: Sequence[str],
    style: DrawingStyle = DrawingStyle(),
) -> NDArray[np.uint8]:
    """A copy of `image` (u8[H, W, 3] RGB) with what was found in it, the best on top.

    `detections` are in pixels of this image; masks not drawn yet (`PrototypeMasks`) are left out.

    Raises:
        ValueError: When the detections are of an image of another size.
    """
    height, width = image.shape[:2]
    if detections.image_size != (height, width):
        raise ValueError(
            f"draw_detections: expected detections in an image of {(height, width)} "
            f"(height, width), got {detections.image_size}"
        )
    canvas = np.ascontiguousarray(image).copy()
    boxes = detections.boxes.cpu().numpy()
    # Who is who shows better by colour than which is what.
    colours = (detections.labels if detections.ids is None else detections.ids).tolist()
    texts = _texts(detections, names, style)
    width = style.line_width or _line_width(canvas)
    worst_first = range(len(detections) - 1, -1, -1)
    if style.masks and isinstance(detections.masks, BoxMasks):
        for index in worst_first:
            draw_mask(canvas, detections.masks, index, class_colour(colours[index]), width)
    for index in worst_first:
        draw_box(canvas, boxes[index], class_colour(colours[index]), width)
    for index in worst_first:  # after all boxes, so that no line crosses a label
        if texts[index]:
            draw_label(canvas, boxes[index], texts[index], class_colour(colours[index]))
    return canvas


def draw_mask(
    canvas: NDArray[np.uint8], masks: BoxMasks, index: int, colour: Colour, line_width: int
) -> None:
    """Tint the mask and trace its edge, in place; only the mask's window is touched."""
    left, top, right, bottom = (int(edge) for edge in masks.windows[index])
    window = canvas[top:bottom, left:right]
    if not window.size:
        return
    bitmap = np.ascontiguousarray(masks.bitmap(index)).view(np.uint8)
    tint = np.full_like(window, colour)
    mixed = cv2.addWeighted(window, 1 - _MASK_OPACITY, tint, _MASK_OPACITY, 0)
    window[:] = np.where(bitmap[..., None] != 0, mixed, window)
    contours, _ = cv2.findContours(
        bitmap, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(left, top)
    )
    cv2.drawContours(canvas, contours, -1, colour, line_width, cv2.LINE_AA)


def draw_box(
    canvas: NDArray[np.uint8], box: NDArray[np.float32], colour: Colour, line_width: int
) -> None:
    """Draw one xyxy box, in place; a dark line around it keeps it visible on its own colour."""
    left, top, right, bottom = _pixels(canvas, box)
    dark = tuple(channel // 3 for channel in colour)
    cv2.rectangle(canvas, (left, top), (right, bottom), dark, line_width + 2)
    cv2.rectangle(canvas, (left, top), (right, bottom), colour, line_width)


def draw_label(
    canvas: NDArray[np.uint8], box: NDArray[np.float32], text: str, colour: Colour
) -> None:
    """Write `text` on a plate of `colour` at the box's upper left corner, wholly in the image."""
    height, width = canvas.shape[:2]
    scale, thickness = _text_size(canvas)
    (text_width, text_height), baseline = cv2.getTextSize(text, _FONT, scale, thickness)
    plate_width, plate_height = text_width + 4, text_height + baseline + 2
    left, top, _, _ = _pixels(canvas, box)
    left = max(0, min(left, width - plate_width))
    plate_top = top - plate_height if top >= plate_height else min(top, height - plate_height)
    plate_top = max(0, plate_top)
    corner = (left + plate_width - 1, plate_top + plate_height - 1)
    cv2.rectangle(canvas, (left, plate_top), corner, colour, -1)
    origin = (left + 2, plate_top + text_height + 1)
    cv2.putText(canvas, text, origin, _FONT, scale, text_colour(colour), thickness, cv2.LINE_AA)


def _texts(detections: Detections, names: Sequence[str], style: DrawingStyle) -> list[str]:
    texts = []
    ids = [None] * len(detections) if detections.ids is None else detections.ids.tolist()
    columns = (ids, detections.labels.tolist(), detections.scores.tolist())
    for identity, label, score in zip(*columns, strict=True):
        words = [] if identity is None else [f"#{identity}"]
        words += [_text(names, label)] if style.names else []
        words += [f"{score:.2f}"] if style.scores else []
        texts.append(" ".join(words))
    return texts


def _text(names: Sequence[str], label: int) -> str:
    return names[label] if 0 <= label < len(names) else f"class {label}"


def _pixels(canvas: NDArray[np.uint8], box: NDArray[np.float32]) -> tuple[int, int, int, int]:
    height, width = canvas.shape[:2]
    last = np.array([width - 1, height - 1, width - 1, height - 1])
    left, top, right, bottom = np.clip(np.nan_to_num(box).round(), 0, last).astype(int).tolist()
    return left, top, right, bottom


def _line_width(canvas: NDArray[Any]) -> int:
    return max(1, round(sum(canvas.shape[:2]) / 2 * 0.0025))


def _text_size(canvas: NDArray[Any]) -> tuple[float, int]:
    """OpenCV's font scale and stroke for about a fortieth of the image, never under 10 pixels."""
    scale = max(0.4, sum(canvas.shape[:2]) / 2 / 1400)
    return scale, max(1, round(scale * 1.5))
