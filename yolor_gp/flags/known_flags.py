"""What people coming from other detectors type, and the word for it here.

Names of flags of YOLOv5 (train, val, detect and their segmentation variants) and arguments of
Ultralytics (train, val, predict). docs/migration.md is written from this table.
"""

from __future__ import annotations

from collections.abc import Mapping

_SAME_EVERYWHERE = {
    "imgsz": "--img", "img-size": "--img", "batch": "--batch-size", "conf-thres": "--confidence",
    "conf": "--confidence", "iou-thres": "--iou", "max-det": "--max-detections",
    "agnostic-nms": "--class-agnostic", "rect": "--rectangular", "save-conf": "--save-confidence",
    "nosave": "--no-images", "hide-conf": "--hide-scores", "line-thickness": "--line-width",
    "vid-stride": "--frame-stride", "save-crop": "--save-crops", "single-cls": "--single-class",
    "sync-batchnorm": "--sync-bn",
}  # fmt: skip
"""Other names of flags: where a program has the flag, it has the name as well."""

_COMMON = {
    "dnn": "networks run in torch here; not needed",
    "half": "use --precision float16 (or bfloat16)",
    "verbose": "figures are always shown",
    "visualize": "use scripts/gradient_paths.py to see what a network is made of",
    "update": "weights hold only what is needed already",
    "profile": "use scripts/benchmark.py",
    "amp": "use --precision (auto takes what the device computes best)",
    "model": "use --weights; train.py: --cfg for a model file",
    "plots": "pictures are always kept in the run folder; val.py: --plots FOLDER",
    "noplots": "pictures cost nothing that counts; they are kept",
    "kobj": "keypoints are not built in",
    "pose": "keypoints are not built in",
    "end2end": "NMS is part of every program here",
    "task": "the model file says it; val.py has --split for another part of the data",
    "mode": "train.py, val.py and detect.py are programs of their own",
}

_RECIPE = {
    "lr0": "optimizer.learning_rate", "lrf": "schedule.final_fraction",
    "momentum": "optimizer.momentum", "weight-decay": "optimizer.weight_decay",
    "optimizer": "optimizer.name", "nbs": "optimizer.nominal_batch",
    "warmup-epochs": "schedule.warmup_epochs", "warmup-momentum": "schedule.warmup_momentum",
    "warmup-bias-lr": "schedule.warmup_bias_lr", "close-mosaic": "schedule.close_mosaic",
    "box": "loss.box", "cls": "loss.classification", "obj": "loss.objectness",
    "anchor-t": "loss.anchor_threshold",
    "fl-gamma": "loss.focal_gamma", "label-smoothing": "loss.label_smoothing",
    "hsv-h": "augment.hue", "hsv-s": "augment.saturation", "hsv-v": "augment.value",
    "degrees": "augment.rotate", "translate": "augment.translate", "scale": "augment.scale",
    "shear": "augment.shear", "perspective": "augment.perspective",
    "flipud": "augment.flip_up_down", "fliplr": "augment.flip_left_right",
    "mosaic": "augment.mosaic", "mixup": "augment.mixup", "copy-paste": "augment.copy_paste",
}  # fmt: skip
"""Arguments that are keys of the recipe here: `--set key=value`."""

_TRAIN = {
    **{name: f"use --set {key}=VALUE" for name, key in _RECIPE.items()},
    "multi-scale": "use --set augment.multi_scale=0.5",
    "cos-lr": "use --set schedule.shape=cosine (the default)",
    "rect": "training takes squares, which mosaics fill; val.py and detect.py have --rectangular",
    "quad": "batches are made in worker processes; not needed",
    "nosave": "the last and the best weights are always kept, nothing else is",
    "noval": "use --set validation.every=N",
    "val": "use --set validation.every=N",
    "save": "the last and the best weights are always kept",
    "noautoanchor": "use --anchors keep",
    "evolve": "not built in: --hyp auto chooses, --set tries",
    "evolve-population": "not built in: --hyp auto chooses, --set tries",
    "resume-evolve": "not built in: --hyp auto chooses, --set tries",
    "bucket": "nothing is uploaded or downloaded",
    "entity": "use --log wandb with the variable WANDB_ENTITY",
    "upload-dataset": "nothing is uploaded",
    "bbox-interval": "pictures of batches are in the run folder",
    "artifact-alias": "nothing is uploaded",
    "ndjson-console": "metrics.csv holds every figure",
    "ndjson-file": "metrics.csv holds every figure",
    "local-rank": "start with torchrun, which sets it",
    "image-weights": "not built in",
    "pretrained": "use --weights FILE",
    "mask-ratio": "prototypes have a quarter of the input's side",
    "no-overlap": "each pixel belongs to one object, the smallest",
    "overlap-mask": "each pixel belongs to one object, the smallest",
    "dfl": "boxes are predicted from anchors here; there is no such loss",
    "dropout": "classifiers only",
    "bgr": "not built in; pictures are RGB throughout",
    "cutmix": "not built in; augment.mosaic and augment.mixup combine images",
    "copy-paste-mode": "objects are pasted within their image: augment.copy_paste",
    "auto-augment": "use augment.albumentations in a recipe",
    "erasing": "use augment.albumentations in a recipe (CoarseDropout)",
    "rle": "keypoints are not built in",
    "angle": "boxes are upright",
    "cls-remap": "the data YAML names the classes",
}

_VAL = {
    "save-txt": "use --save-json, or detect.py --save-txt",
    "classes": "AP of each class is in --metrics-json",
    "rect": "images are padded to squares, as the paper's figures were taken",
    "save-conf": "--save-json has scores",
    "save-hybrid": "use --save-json for predictions; labels stay apart",
    "agnostic-nms": "AP is counted within classes",
    "single-cls": "say it to train.py; the weights then have one class",
    "project": "val.py writes the files that are named: --metrics-json, --save-json, --plots",
    "name": "val.py writes the files that are named: --metrics-json, --save-json, --plots",
    "exist-ok": "val.py writes the files that are named: --metrics-json, --save-json, --plots",
}

_DETECT = {
    "data": "the weights hold the class names",
    "view-img": "no window is opened; look into the run folder, or use Python: result.plot()",
    "show": "no window is opened; look into the run folder, or use Python: result.plot()",
    "save": "pictures and videos are written unless --no-images",
    "save-format": "--save-txt writes YOLO labels",
    "save-frames": "videos are written as videos; in Python result.save() writes each frame",
    "show-labels": "names are drawn unless --hide-labels",
    "show-conf": "scores are drawn unless --hide-scores",
    "show-boxes": "boxes are always drawn",
    "retina-masks": "masks are always drawn in the size of the image",
    "stream": "results are always made one after another",
    "stream-buffer": "a camera or stream gives its newest frame",
    "embed": "use Python: model.network.features(images)",
}

KNOWN_FLAGS: Mapping[str, Mapping[str, str]] = {
    "train": {**_COMMON, **_TRAIN},
    "val": {**_COMMON, **_VAL},
    "detect": {**_COMMON, **_DETECT},
}
"""By program: flag without dashes, words joined by "-" -> what to do here."""


def same_flag(flag: str) -> str | None:
    """The flag here that `flag` (`--conf-thres`, `--conf_thres`) is another name of."""
    return _SAME_EVERYWHERE.get(_plain(flag))


def known_answer(program: str, flag: str) -> str | None:
    """What a flag of another project (`--evolve`) is here, if it is known.

    program: "train", "val", "detect" (or `train.py`, ...).
    """
    return KNOWN_FLAGS.get(program.removesuffix(".py"), {}).get(_plain(flag))


def _plain(flag: str) -> str:
    return flag.lstrip("-").replace("_", "-").lower()
