"""Masks and boxes stay glued to the pixels under every augmentation."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.data.data_sets import Painted, colour_classes
from yolor_gp.config.train_config import AugmentConfig
from yolor_gp.data.loading.loader import train_loader, val_loader
from yolor_gp.structures.batch import Batch

STILL = {
    "mosaic": 0.0, "hue": 0.0, "saturation": 0.0, "value": 0.0, "translate": 0.0, "scale": 0.0,
    "flip_left_right": 0.0,
}  # fmt: skip

CASES = {
    "letterbox": {},
    "mosaic": {"mosaic": 1.0},
    "mosaic, scale, translate": {"mosaic": 1.0, "scale": 0.5, "translate": 0.2},
    "enlarge": {"scale": 0.9, "translate": 0.3},
    "flips": {"flip_left_right": 0.6, "flip_up_down": 0.5},
    "rotate": {"rotate": 90.0, "mosaic": 0.5},
    "shear": {"shear": 20.0},
    "perspective": {"perspective": 0.001, "mosaic": 0.5},
    "all at once": {
        "mosaic": 1.0, "rotate": 20.0, "shear": 5.0, "scale": 0.3, "translate": 0.2,
        "perspective": 0.0003, "flip_left_right": 0.5, "flip_up_down": 0.5,
    },
    "copy-paste": {"copy_paste": 0.7, "mosaic": 0.5},
    "multi-scale": {"multi_scale": 0.5, "mosaic": 0.5, "scale": 0.3},
}  # fmt: skip


def sure(classes: NDArray[np.int64], radius: int) -> NDArray[np.bool_]:
    """Where all pixels within `radius` have the same class."""
    kernel = np.ones((2 * radius + 1,) * 2, np.uint8)
    values = classes.astype(np.uint8)
    return cv2.dilate(values, kernel) == cv2.erode(values, kernel)


def check_batch(batch: Batch, least_objects: int, most_wrong: int = 0) -> None:
    targets = batch.targets
    assert targets.index_map is not None
    objects = compared = 0
    for number, picture in enumerate(batch.images.numpy()):
        own = (targets.image_index == number).numpy()
        labels = np.concatenate(([0], targets.labels.numpy()[own] + 1))
        claimed = labels[targets.index_map[number].numpy()]
        classes = colour_classes(picture.transpose(1, 2, 0))
        seen, certain = classes[2::4, 2::4], sure(classes, 3)[2::4, 2::4]
        # Objects too small or too hidden to be learned are dropped: their pixels stay.
        wrong = certain & (claimed != seen) & (claimed > 0)
        missed = certain & (claimed == 0) & (seen > 0)
        assert wrong.sum() <= most_wrong, f"image {number}: {wrong.sum()} cells claim another class"
        assert missed.sum() <= 2, f"image {number}: {missed.sum()} cells of objects are missing"
        objects += own.sum()
        compared += int((certain & (claimed > 0)).sum())
    assert objects >= least_objects and compared >= least_objects


@pytest.mark.parametrize("case", CASES)
def test_masks_lie_on_their_pixels(painted: Painted, case: str) -> None:
    config = AugmentConfig(**{**STILL, **CASES[case]})
    loader = train_loader(painted.open(), batch_size=12, augment=config, seed=11, workers=0)
    # The map shows the smaller of two objects, the picture the one pasted last.
    most_wrong = 8 if "copy_paste" in CASES[case] else 0
    check_batch(next(iter(loader.epoch(0))), least_objects=24, most_wrong=most_wrong)


@pytest.mark.parametrize(
    "case", ["letterbox", "enlarge", "flips", "rotate", "shear", "perspective", "multi-scale"]
)
def test_boxes_lie_around_their_pixels(painted: Painted, case: str) -> None:
    config = AugmentConfig(**{**STILL, **CASES[case], "mosaic": 0.0})
    loader = train_loader(painted.open(), batch_size=12, augment=config, seed=2, workers=0)
    compared = 0
    for batch in loader.epoch(1):
        for number, picture in enumerate(batch.images.numpy()):
            classes = colour_classes(picture.transpose(1, 2, 0))
            own = batch.targets.image_index == number
            for box, label in zip(batch.targets.boxes[own], batch.targets.labels[own], strict=True):
                rows, columns = np.nonzero(classes == int(label) + 1)
                around = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                if label == 1:
                    continue  # a triangle's tips are thinner than a pixel
                assert np.abs(box.numpy() - around).max() <= 2.0, (number, label, box, around)
                compared += 1
    assert compared > 20


def test_boxes_of_cut_objects_are_those_of_what_is_left(painted: Painted) -> None:
    # Enlarged four times around the centre, most objects are cut.
    config = AugmentConfig(**{**STILL, "translate": 0.9, "scale": 0.9})
    loader = train_loader(painted.open(), batch_size=12, augment=config, seed=2, workers=0)
    cut = 0
    for epoch in range(4):
        for batch in loader.epoch(epoch):
            for number, picture in enumerate(batch.images.numpy()):
                classes = colour_classes(picture.transpose(1, 2, 0))
                own = batch.targets.image_index == number
                pairs = zip(batch.targets.boxes[own], batch.targets.labels[own], strict=True)
                for box, label in pairs:
                    if label in (1, 3) or (float(box.min()) > 0 and float(box.max()) < 128):
                        continue  # tips and second blocks may be thinner than a pixel
                    rows, columns = np.nonzero(classes == int(label) + 1)
                    around = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                    assert np.abs(box.numpy() - around).max() <= 2.5, (number, label, box, around)
                    cut += 1
    assert cut > 10


def test_colours_change_and_masks_do_not(painted: Painted) -> None:
    def first(**changes: float) -> Batch:
        config = AugmentConfig(**{**STILL, "mosaic": 1.0, "scale": 0.4, **changes})
        loader = train_loader(painted.open(), batch_size=12, augment=config, seed=4, workers=0)
        return next(iter(loader.epoch(0)))

    plain, coloured = first(), first(hue=0.5, saturation=0.5, value=0.5)
    assert plain.targets.index_map is not None and coloured.targets.index_map is not None
    assert (plain.targets.index_map == coloured.targets.index_map).all()
    assert (plain.images != coloured.images).any()
    grey = (plain.images == 114).all(dim=1)
    padding = ((coloured.images.int() - 114).abs() <= 1).all(dim=1)
    assert padding[grey].all()  # but for rounding, it stays


def test_mixup_keeps_the_objects_of_both(painted: Painted) -> None:
    config = AugmentConfig(**{**STILL, "mosaic": 1.0, "mixup": 1.0})
    loader = train_loader(painted.open(), batch_size=12, augment=config, seed=4, workers=0)
    batch = next(iter(loader.epoch(0)))
    config = AugmentConfig(**{**STILL, "mosaic": 1.0})
    loader = train_loader(painted.open(), batch_size=12, augment=config, seed=4, workers=0)
    plain = next(iter(loader.epoch(0)))
    for number in range(12):
        alone = plain.targets.boxes[plain.targets.image_index == number]
        mixed = batch.targets.boxes[batch.targets.image_index == number]
        # The same first picture, then the objects of a second one.
        assert (mixed[: len(alone)] == alone).all() and len(mixed) > len(alone)
    peak = batch.images.amax(dim=1)
    faded = ((peak > 90) & (peak < 113) | (peak > 116) & (peak < 160)).float().mean()
    assert faded > 0.05  # 250 over black, about half and half


def test_validation_pictures_are_letterboxed(painted: Painted) -> None:
    batch = next(iter(val_loader(painted.open(), batch_size=12, workers=0)))
    check_batch(batch, least_objects=48)
    letterbox = batch.metas[0].letterbox
    assert letterbox is not None and letterbox.output_size == (128, 128)
