from __future__ import annotations

import torch

from yolor_gp.structures.batch import Batch, Targets
from yolor_gp.structures.detections import Detections, PrototypeMasks
from yolor_gp.structures.sample import ImageMeta
from yolor_gp.visualize.batches import (
    labelled_batch,
    predictions_against_truth,
    truth_of,
    with_drawn_masks,
)

NAMES = ("cat", "dog")


def batch() -> Batch:
    index_map = torch.zeros(2, 16, 16, dtype=torch.uint8)
    index_map[0, 2:6, 2:6] = 1
    index_map[1, 4:8, 4:8] = 1
    index_map[1, 8:12, 8:12] = 2
    boxes = torch.tensor([[8.0, 8, 24, 24], [16, 16, 32, 32], [32, 32, 48, 48]])
    targets = Targets(torch.tensor([0, 1, 1]), boxes, torch.tensor([0, 1, 0]), index_map)
    images = torch.full((2, 3, 64, 64), 100, dtype=torch.uint8)
    return Batch(images, targets, tuple(ImageMeta(i, f"{i}.jpg", (64, 64)) for i in range(2)))


def test_truth_has_each_objects_own_mask() -> None:
    truth = truth_of(batch(), 1)
    assert truth.labels.tolist() == [1, 0] and truth.masks is not None
    dense = truth.masks.dense()
    assert dense[0].sum() == 16 * 16 and dense[0, 16:32, 16:32].all()
    assert dense[1].sum() == 16 * 16 and dense[1, 32:48, 32:48].all()


def test_a_labelled_batch_is_a_grid() -> None:
    picture = labelled_batch(batch(), NAMES)
    assert picture.shape == (64, 132, 3)
    assert (picture[:, :64] != 100).any() and (picture[:, 68:] != 100).any()


def test_a_batch_without_objects_can_be_drawn() -> None:
    none = torch.zeros(0, dtype=torch.int64)
    images = torch.full((1, 3, 64, 64), 100, dtype=torch.uint8)
    empty = Batch(
        images, Targets(none, torch.zeros(0, 4), none), (ImageMeta(1, "1.jpg", (64, 64)),)
    )
    assert (labelled_batch(empty, NAMES) == 100).all()


def test_predictions_stand_beside_the_truth() -> None:
    masks = PrototypeMasks(torch.tensor([[9.0]]), torch.ones(1, 16, 16))
    found = Detections(
        (64, 64), torch.tensor([[8.0, 8, 24, 24]]), torch.ones(1), torch.tensor([0]), masks
    )
    drawn = with_drawn_masks(found)
    assert drawn.masks is not None and drawn.masks.dense().sum() == 16 * 16
    nothing = found.select(torch.tensor([], dtype=torch.int64))
    picture = predictions_against_truth(batch(), [found, nothing], NAMES)
    assert picture.shape == (132, 132, 3)
    assert (picture[68:, 68:] == 100).all(), "nothing was found in the second image"
    assert (picture[68:, :64] != 100).any(), "but it has objects"
