"""A `hyp.yaml` of YOLOv5 read as a recipe: the same numbers under this project's names.

What that file leaves to the program is set as the program has it: SGD over 64 images, gradients
clipped at 10, a linear schedule, objectness scaled with the image.
"""

from __future__ import annotations

from typing import Any

from yolor_gp.config.yaml_source import Location, Node
from yolor_gp.errors import UserError

YOLOV5_KEYS: dict[str, str] = {
    "lr0": "optimizer.learning_rate", "lrf": "schedule.final_fraction",
    "momentum": "optimizer.momentum", "weight_decay": "optimizer.weight_decay",
    "warmup_epochs": "schedule.warmup_epochs", "warmup_momentum": "schedule.warmup_momentum",
    "warmup_bias_lr": "schedule.warmup_bias_lr",
    "box": "loss.box", "cls": "loss.classification", "obj": "loss.objectness",
    "anchor_t": "loss.anchor_threshold", "fl_gamma": "loss.focal_gamma",
    "label_smoothing": "loss.label_smoothing",
    "hsv_h": "augment.hue", "hsv_s": "augment.saturation", "hsv_v": "augment.value",
    "degrees": "augment.rotate", "translate": "augment.translate", "scale": "augment.scale",
    "shear": "augment.shear", "perspective": "augment.perspective",
    "flipud": "augment.flip_up_down", "fliplr": "augment.flip_left_right",
    "mosaic": "augment.mosaic", "mixup": "augment.mixup", "copy_paste": "augment.copy_paste",
}  # fmt: skip
_ONE = {"cls_pw", "obj_pw"}
"""Weights of positives, which are 1 in every published file; another value is refused."""
_UNUSED = {"iou_t", "anchors"}
"""Without effect there too (`iou_t`), or chosen here by the fit (`anchors`)."""

_PROGRAM: dict[str, dict[str, Any]] = {
    "optimizer": {"name": "sgd", "nominal_batch": 64, "clip_norm": 10.0},
    "schedule": {"shape": "linear", "warmup_min_steps": 100},
    "loss": {"objectness_scales_with_size": True},
}


def is_yolov5_recipe(node: Node) -> bool:
    """Whether a mapping has YOLOv5's names at its top."""
    return isinstance(node.value, dict) and {"lr0", "lrf"} <= set(node.value)


def from_yolov5(node: Node) -> Node:
    """The same as sections of a recipe, every value at the line where it stands.

    Raises:
        UserError: With a line for each name that is unknown or cannot be followed.
    """
    problems: list[str] = []
    sections: dict[str, dict[str, Node]] = {
        section: {key: Node(value, node.location, {}) for key, value in keys.items()}
        for section, keys in _PROGRAM.items()
    }
    lines: dict[str, dict[str, Location]] = {}
    for name, child in node.value.items():
        where = node.key_locations.get(name, node.location)
        if name in YOLOV5_KEYS:
            section, _, key = YOLOV5_KEYS[name].partition(".")
            sections.setdefault(section, {})[key] = child
            lines.setdefault(section, {})[key] = where
        elif name in _ONE and child.value != 1:
            problems.append(f"{where}: '{name}' other than 1 is not supported; leave it at 1")
        elif name not in _ONE | _UNUSED:
            problems.append(f"{where}: '{name}' is no key of a YOLOv5 hyp.yaml")
    if problems:
        raise UserError(*problems)
    here = node.location
    children = {
        section: Node(keys, here, dict.fromkeys(keys, here) | lines.get(section, {}))
        for section, keys in sections.items()
    }
    return Node(children, here, dict.fromkeys(children, here))
